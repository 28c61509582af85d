// SPDX-License-Identifier: Apache-2.0
// Whole files in, whole files or a growing stream of bytes out; "-" is the standard stream.
// The parsers take bytes and never see a path, so a caller prefixes the path to a parser's error.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include <spinel/io/error.hpp>

namespace spinel::io {

namespace detail {
inline Error file_error(const std::string& path, const char* what) {
  return Error{path + ": " + what + ": " + std::strerror(errno)};
}
}  // namespace detail

/// All bytes of the file at `path`, or of standard input for "-". Errors name the path and the system's reason.
inline Expected<std::string> read_file(const std::string& path) {
  const bool standard = path == "-";
  std::FILE* file = standard ? stdin : std::fopen(path.c_str(), "rb");
  if (file == nullptr) return detail::file_error(path, "cannot open for reading");
  std::string bytes;
  if (!standard && std::fseek(file, 0, SEEK_END) == 0) {
    // A directory or a device may answer with a nonsensical size: the size is a hint, the read decides.
    const long size = std::ftell(file);
    if (size > 0 && size < (long{1} << 40)) bytes.reserve(static_cast<std::size_t>(size));
    std::rewind(file);
  }
  std::size_t used = 0;
  bool failed = false;
  for (std::size_t chunk = std::size_t{1} << 16;; chunk = chunk < (std::size_t{1} << 24) ? 2 * chunk : chunk) {
    bytes.resize(used + chunk);
    const std::size_t n = std::fread(bytes.data() + used, 1, chunk, file);
    used += n;
    if (n < chunk) {
      failed = std::ferror(file) != 0;
      break;
    }
  }
  const Error error = failed ? detail::file_error(path, "cannot read") : Error{};
  if (!standard) std::fclose(file);
  if (failed) return error;
  bytes.resize(used);
  return bytes;
}

/// A file written piece by piece. `close()` must be called to learn whether everything reached the file.
class FileWriter {
 public:
  FileWriter() = default;
  FileWriter(FileWriter&& other) noexcept
      : file_(std::exchange(other.file_, nullptr)), path_(std::move(other.path_)) {}
  FileWriter& operator=(FileWriter&& other) noexcept {
    std::swap(file_, other.file_);
    std::swap(path_, other.path_);
    return *this;
  }
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;
  ~FileWriter() {
    if (file_ != nullptr && file_ != stdout) std::fclose(file_);
  }

  /// Creates or truncates the file at `path`; "-" is standard output.
  static Expected<FileWriter> open(const std::string& path) {
    FileWriter writer;
    writer.path_ = path;
    writer.file_ = path == "-" ? stdout : std::fopen(path.c_str(), "wb");
    if (writer.file_ == nullptr) return detail::file_error(path, "cannot open for writing");
    return writer;
  }

  Expected<void> write(std::string_view bytes) {
    if (file_ == nullptr) return Error{"write to a file that is not open"};
    if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size())
      return detail::file_error(path_, "cannot write");
    return {};
  }

  Expected<void> close() {
    std::FILE* file = std::exchange(file_, nullptr);
    if (file == nullptr) return {};
    if ((file == stdout ? std::fflush(file) : std::fclose(file)) != 0)
      return detail::file_error(path_, "cannot write");
    return {};
  }

 private:
  std::FILE* file_ = nullptr;
  std::string path_;
};

/// Replaces the file at `path` by `bytes`.
inline Expected<void> write_file(const std::string& path, std::string_view bytes) {
  auto writer = FileWriter::open(path);
  if (!writer) return Error{writer.error()};
  if (auto written = writer->write(bytes); !written) return written;
  return writer->close();
}

}  // namespace spinel::io
