// SPDX-License-Identifier: Apache-2.0
// The file of `spinel stream --record`: what arrived, what was answered and how long it took, little-endian and compact, with a
// fingerprint of the model, so that `spinel replay` can decode it again and point at the first difference.
#pragma once

#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <span>
#include <spinel/core/sha256.hpp>
#include <spinel/core/span.hpp>
#include <spinel/decode/stream_window.hpp>
#include <spinel/noise/error_slice.hpp>
#include <string>
#include <vector>

#include "command_error.hpp"

namespace spinel::cli {

/// Latency in units of 4 ns (up to 8.5 s) and the observable flip, in one word.
inline std::uint32_t answer_entry(std::int64_t ns, std::uint64_t flips) {
  const std::int64_t units = ns < 0 ? 0 : ns / 4 > 0x7fffffff ? 0x7fffffff : ns / 4;
  return static_cast<std::uint32_t>(units) << 1 | static_cast<std::uint32_t>(flips & 1);
}

/// Header: magic, five numbers, 26 noise values, two fingerprints. Then shots until the end: rounds, read-out, true outcome,
/// answers (one a window, one for the end).
struct RecordHeader {
  static constexpr char magic[8] = {'S', 'P', 'N', 'L', 'R', 'E', 'C', '1'};
  std::int32_t distance = 0, commit = 0, buffer = 0, basis = 0, rounds = 0;
  double noise[26] = {};  ///< the 25 parameters, then the p of the legacy circuit (below 0: none)
  std::uint8_t model_fingerprint[32] = {};    ///< SHA-256 of the edges of the windows' model
  std::uint8_t weights_fingerprint[32] = {};  ///< SHA-256 of the blob and the precision; zero: no network
  static constexpr std::size_t bytes = 8 + 5 * 4 + 26 * 8 + 64;

  std::size_t round_bytes() const { return (static_cast<std::size_t>(distance) * static_cast<std::size_t>(distance) - 1 + 7) / 8; }
  std::size_t data_bytes() const { return (static_cast<std::size_t>(distance) * static_cast<std::size_t>(distance) + 7) / 8; }
  std::size_t answers() const {
    return static_cast<std::size_t>(rounds <= commit + buffer ? 0 : (rounds - commit - buffer + commit - 1) / commit) + 1;
  }
  std::size_t shot_bytes() const {
    return static_cast<std::size_t>(rounds) * round_bytes() + data_bytes() + 1 + 4 * answers();
  }
};
static_assert(std::endian::native == std::endian::little, "records are written as they lie in memory");

inline void fingerprint_model(Span<const GraphEdge> edges, std::uint8_t* out) {
  Sha256 hash;
  for (const GraphEdge& edge : edges) {
    std::uint8_t bytes[24];
    const std::uint32_t ends[2] = {edge.a, edge.b};
    std::memcpy(bytes, ends, 8);
    std::memcpy(bytes + 8, &edge.probability, 8);
    std::memcpy(bytes + 16, &edge.observables, 8);
    hash.update(Span<const std::uint8_t>(bytes));
  }
  const auto digest = hash.finish();
  for (std::size_t k = 0; k < 32; ++k) out[k] = digest[k];
}

/// Zero without weights; the precision is part of what the weights do.
inline void fingerprint_weights(std::span<const std::byte> blob, const std::string& precision, std::uint8_t* out) {
  if (blob.empty()) return;
  Sha256 hash;
  hash.update(Span<const std::uint8_t>(reinterpret_cast<const std::uint8_t*>(blob.data()), blob.size()));
  hash.update(Span<const std::uint8_t>(reinterpret_cast<const std::uint8_t*>(precision.data()), precision.size()));
  const auto digest = hash.finish();
  for (std::size_t k = 0; k < 32; ++k) out[k] = digest[k];
}
inline std::string fingerprint_text(const std::uint8_t* fingerprint) {
  std::string text;
  for (std::size_t k = 0; k < 32; ++k) {
    constexpr char digits[] = "0123456789abcdef";
    text += digits[fingerprint[k] / 16];
    text += digits[fingerprint[k] % 16];
  }
  return text;
}

class RecordWriter {
 public:
  RecordWriter() = default;
  RecordWriter(const RecordWriter&) = delete;
  RecordWriter& operator=(const RecordWriter&) = delete;
  ~RecordWriter() {
    if (file_ != nullptr) std::fclose(file_);
  }

  void open(const std::string& path, const RecordHeader& header) {
    path_ = path;
    file_ = std::fopen(path.c_str(), "wb");
    if (file_ == nullptr) throw CommandError("--record " + path + ": cannot open for writing");
    header_ = header;
    std::string out(RecordHeader::magic, 8);
    const auto put = [&](const void* from, std::size_t n) { out.append(static_cast<const char*>(from), n); };
    for (const std::int32_t number : {header.distance, header.commit, header.buffer, header.basis, header.rounds}) put(&number, 4);
    put(header.noise, sizeof header.noise);
    put(header.model_fingerprint, 32);
    put(header.weights_fingerprint, 32);
    write(out);
  }
  /// `answers`: RecordHeader::answers() a shot.
  template <class Pool>
  void append(const Pool& pool, const std::vector<std::uint32_t>& answers) {
    if (file_ == nullptr) return;
    const auto rounds = static_cast<std::size_t>(header_.rounds);
    std::string out;
    std::vector<std::uint8_t> bytes(header_.round_bytes() + header_.data_bytes());
    for (std::size_t shot = 0; shot < pool.data.size(); ++shot) {
      const auto put = [&](std::size_t n) { out.append(reinterpret_cast<const char*>(bytes.data()), n); };
      for (std::size_t t = 0; t < rounds; ++t) {
        pool.rounds[shot * rounds + t].store_b8(bytes.data());
        put(header_.round_bytes());
      }
      pool.data[shot].store_b8(bytes.data());
      put(header_.data_bytes());
      out.push_back(static_cast<char>(pool.flipped[shot]));
      out.append(reinterpret_cast<const char*>(&answers[shot * header_.answers()]), 4 * header_.answers());
    }
    write(out);
  }
  void close() {
    if (file_ == nullptr) return;
    const bool closed = std::fclose(file_) == 0;
    file_ = nullptr;
    if (!closed) throw CommandError("--record " + path_ + ": cannot write");
  }

 private:
  void write(const std::string& bytes) {
    if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size())
      throw CommandError("--record " + path_ + ": cannot write");
  }
  std::FILE* file_ = nullptr;
  std::string path_;
  RecordHeader header_;
};

/// Reads the header and then shot after shot; every defect names the place.
class RecordReader {
 public:
  explicit RecordReader(const std::string& path) : path_(path), file_(std::fopen(path.c_str(), "rb")) {
    if (file_ == nullptr) throw CommandError(path + ": cannot open the file");
    std::uint8_t bytes[RecordHeader::bytes];
    if (std::fread(bytes, 1, sizeof bytes, file_) != sizeof bytes || std::memcmp(bytes, RecordHeader::magic, 8) != 0)
      throw CommandError(path + ": is no record of `spinel stream` (expected the magic SPNLREC1 and " +
                         std::to_string(sizeof bytes) + " bytes of header)");
    const std::uint8_t* at = bytes + 8;
    const auto take = [&](void* to, std::size_t n) {
      std::memcpy(to, at, n);
      at += n;
    };
    for (std::int32_t* number : {&header_.distance, &header_.commit, &header_.buffer, &header_.basis, &header_.rounds}) take(number, 4);
    take(header_.noise, sizeof header_.noise);
    take(header_.model_fingerprint, 32);
    take(header_.weights_fingerprint, 32);
    if (header_.distance < 3 || header_.distance > MemoryExperiment::max_distance || header_.distance % 2 == 0 || header_.commit < 1 ||
        header_.buffer < 1 || header_.commit > 1000 || header_.buffer > 1000 || header_.basis < 0 || header_.basis > 1 ||
        header_.rounds < 3 || header_.rounds > 100'000'000)
      throw CommandError(path + ": the header names an experiment that cannot be (distance " + std::to_string(header_.distance) +
                         ", commit " + std::to_string(header_.commit) + ", buffer " + std::to_string(header_.buffer) + ", rounds " +
                         std::to_string(header_.rounds) + ")");
  }
  RecordReader(const RecordReader&) = delete;
  RecordReader& operator=(const RecordReader&) = delete;
  ~RecordReader() {
    if (file_ != nullptr) std::fclose(file_);
  }

  const RecordHeader& header() const { return header_; }
  /// The next shot's bytes, false at the end.
  bool next(std::vector<std::uint8_t>& shot) {
    shot.resize(header_.shot_bytes());
    const std::size_t n = std::fread(shot.data(), 1, shot.size(), file_);
    if (n == 0) return false;
    if (n != shot.size())
      throw CommandError(path_ + ": shot " + std::to_string(n_) + " ends after " + std::to_string(n) + " of " +
                         std::to_string(shot.size()) + " bytes");
    ++n_;
    return true;
  }

 private:
  std::string path_;
  std::FILE* file_;
  RecordHeader header_;
  std::uint64_t n_ = 0;
};

}  // namespace spinel::cli
