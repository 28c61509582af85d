// SPDX-License-Identifier: Apache-2.0
// Tables of shots (detection events, observables, predictions, measurements) in Stim's six formats, read and written:
// 01, b8, r8, hits, dets, ptb64. In memory a table is packed b8 rows, which decoders take as they are.
// Source: the descriptions of the formats in Stim's documentation; docs/formats.md shows each with its bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <spinel/io/error.hpp>

namespace spinel::io {

enum class ShotFormat : std::uint8_t { f01, b8, r8, hits, dets, ptb64 };

/// The format called `name` on a command line.
inline Expected<ShotFormat> shot_format(std::string_view name) {
  if (name == "01") return ShotFormat::f01;
  if (name == "b8") return ShotFormat::b8;
  if (name == "r8") return ShotFormat::r8;
  if (name == "hits") return ShotFormat::hits;
  if (name == "dets") return ShotFormat::dets;
  if (name == "ptb64") return ShotFormat::ptb64;
  return Error{"unknown shot format '" + std::string(name.substr(0, 64)) +
               "', expected 01, b8, r8, hits, dets or ptb64"};
}

/// What the bits of a row are, in row order: measurements M#, then detectors D#, then observables L#. Only `dets` names them.
struct ShotLayout {
  std::size_t n_measurements = 0, n_detectors = 0, n_observables = 0;
  constexpr std::size_t n_bits() const noexcept { return n_measurements + n_detectors + n_observables; }
};

/// Bit k of a shot is bit k % 8 of byte k / 8 of its row; rows are `stride_bytes` apart; bits past the last are zero.
struct ShotTable {
  std::size_t n_bits = 0;
  std::size_t n_shots = 0;
  std::size_t stride_bytes = 0;
  std::vector<std::uint8_t> bytes;

  ShotTable() = default;
  ShotTable(std::size_t bits, std::size_t shots)
      : n_bits(bits), n_shots(shots), stride_bytes((bits + 7) / 8), bytes(shots * ((bits + 7) / 8)) {}

  const std::uint8_t* row(std::size_t shot) const noexcept { return bytes.data() + shot * stride_bytes; }
  std::uint8_t* row(std::size_t shot) noexcept { return bytes.data() + shot * stride_bytes; }
  bool get(std::size_t shot, std::size_t k) const noexcept { return (row(shot)[k / 8] >> (k % 8)) & 1; }
  void set(std::size_t shot, std::size_t k) noexcept {
    row(shot)[k / 8] = static_cast<std::uint8_t>(row(shot)[k / 8] | (1u << (k % 8)));
  }
};

/// A sparse text can name far more shots than it has bytes: a table beyond this size is an error.
inline constexpr std::uint64_t max_table_bytes = std::uint64_t{1} << 34;

namespace detail {

/// Appends rows to a table that is as large as the format lets us know beforehand, and formulates errors.
class ShotReader {
 public:
  ShotReader(std::string_view bytes, const ShotLayout& layout) : bytes_(bytes), layout_(layout) {
    table_.n_bits = layout.n_bits();
    table_.stride_bytes = (table_.n_bits + 7) / 8;
  }

  Expected<ShotTable> read(ShotFormat format) {
    // Every row of these three ends in a line end, or begins in "shot".
    if (format == ShotFormat::f01 || format == ShotFormat::hits || format == ShotFormat::dets) {
      std::uint64_t lines = 1;
      for (const char c : bytes_) lines += c == '\n';
      if (table_.stride_bytes != 0 && lines > max_table_bytes / table_.stride_bytes)
        return Error{"a table of " + std::to_string(lines) + " lines of " + std::to_string(table_.n_bits) +
                     " bits is too large, expected at most " + std::to_string(max_table_bytes) + " bytes"};
      table_.bytes.reserve(static_cast<std::size_t>(lines) * table_.stride_bytes);
    }
    bool good = true;
    switch (format) {
      case ShotFormat::f01: good = read_01(); break;
      case ShotFormat::b8: good = read_b8(); break;
      case ShotFormat::r8: good = read_r8(); break;
      case ShotFormat::hits: good = read_hits(); break;
      case ShotFormat::dets: good = read_dets(); break;
      case ShotFormat::ptb64: good = read_ptb64(); break;
    }
    if (!good) return Error{std::move(error_)};
    return std::move(table_);
  }

 private:
  static bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

  bool fail_byte(std::size_t offset, const std::string& what) {
    error_ = "byte " + std::to_string(offset) + " (shot " + std::to_string(table_.n_shots) + "): " + what;
    return false;
  }
  bool fail_line(const std::string& what) {
    error_ = "line " + std::to_string(line_) + ", column " + std::to_string(at_ - line_start_ + 1) + ": " + what;
    return false;
  }
  std::string found() const {
    if (at_ >= bytes_.size()) return "found the end of the file";
    const auto byte = static_cast<unsigned char>(bytes_[at_]);
    if (byte == '\n' || byte == '\r') return "found the end of the line";
    if (byte >= 0x20 && byte < 0x7f) return std::string("found '") + bytes_[at_] + "'";
    constexpr char digits[] = "0123456789abcdef";
    return std::string("found byte 0x") + digits[byte >> 4] + digits[byte & 15];
  }

  std::uint8_t* add_row() {
    table_.bytes.resize(table_.bytes.size() + table_.stride_bytes);
    return table_.bytes.data() + table_.bytes.size() - table_.stride_bytes;
  }
  /// Sets bit k of a row; false if it was set.
  static bool put(std::uint8_t* row, std::size_t k) noexcept {
    const auto bit = static_cast<std::uint8_t>(1u << (k % 8));
    if (row[k / 8] & bit) return false;
    row[k / 8] = static_cast<std::uint8_t>(row[k / 8] | bit);
    return true;
  }

  /// Takes "\n" or "\r\n".
  bool take_line_end() noexcept {
    std::size_t next = at_;
    if (next < bytes_.size() && bytes_[next] == '\r') ++next;
    if (next >= bytes_.size() || bytes_[next] != '\n') return false;
    at_ = next + 1;
    ++line_;
    line_start_ = at_;
    return true;
  }

  bool read_index(std::size_t limit, const char* kind, std::size_t& index) {
    const std::size_t start = at_;
    index = 0;
    bool beyond = false;
    for (; at_ < bytes_.size() && is_digit(bytes_[at_]); ++at_) {
      if (!beyond) index = 10 * index + static_cast<std::size_t>(bytes_[at_] - '0');
      beyond = beyond || index >= limit;
    }
    if (at_ == start) return fail_line(std::string("expected ") + kind + " index, " + found());
    if (!beyond) return true;
    const std::string digits(bytes_.substr(start, at_ - start < 24 ? at_ - start : 24));
    at_ = start;
    return fail_line(std::string(kind) + " index " + digits + " is out of range, expected less than " +
                     std::to_string(limit));
  }

  bool read_01() {
    while (at_ < bytes_.size()) {
      std::uint8_t* row = add_row();
      for (std::size_t k = 0; k < table_.n_bits; ++k, ++at_) {
        const char c = at_ < bytes_.size() ? bytes_[at_] : '\n';
        if (c == '1') {
          put(row, k);
        } else if (c != '0') {
          return fail_line("expected '0' or '1' for bit " + std::to_string(k) + " of " +
                           std::to_string(table_.n_bits) + ", " + found());
        }
      }
      if (!take_line_end())
        return fail_line("expected the end of the line after " + std::to_string(table_.n_bits) + " bits, " + found());
      ++table_.n_shots;
    }
    return true;
  }

  bool read_b8() {
    const std::size_t stride = table_.stride_bytes;
    if (stride == 0) return bytes_.empty() || fail_byte(0, "expected no bytes, as a shot has no bits");
    table_.n_shots = bytes_.size() / stride;
    const std::size_t rest = bytes_.size() % stride;
    if (rest != 0)
      return fail_byte(bytes_.size() - rest, "the file ends after " + std::to_string(rest) + " of the " +
                                                 std::to_string(stride) + " bytes of a shot of " +
                                                 std::to_string(table_.n_bits) + " bits");
    table_.bytes.assign(bytes_.begin(), bytes_.end());
    if (table_.n_bits % 8 != 0) {  // as Stim does, ignore what pads the last byte
      const auto mask = static_cast<std::uint8_t>((1u << (table_.n_bits % 8)) - 1);
      for (std::size_t last = stride - 1; last < table_.bytes.size(); last += stride)
        table_.bytes[last] = static_cast<std::uint8_t>(table_.bytes[last] & mask);
    }
    return true;
  }

  bool read_r8() {
    while (at_ < bytes_.size()) {
      if (table_.bytes.size() + table_.stride_bytes > max_table_bytes)
        return fail_byte(at_, "the table is too large, expected at most " + std::to_string(max_table_bytes) + " bytes");
      std::uint8_t* row = add_row();
      const std::size_t n_bits = table_.n_bits;
      for (std::size_t k = 0;;) {
        if (at_ >= bytes_.size())
          return fail_byte(at_, "the file ends inside a shot, after " + std::to_string(k) + " of " +
                                    std::to_string(n_bits) + " bits");
        const auto run = static_cast<unsigned char>(bytes_[at_]);
        if (run > n_bits - k)
          return fail_byte(at_, "a run of " + std::to_string(run) + " zeros passes the end of the shot, expected at most " +
                                    std::to_string(n_bits - k));
        ++at_;
        k += run;
        if (run == 255) continue;  // no one after a run of 255
        if (k == n_bits) break;    // the one past the end closes the shot
        put(row, k++);
      }
      ++table_.n_shots;
    }
    return true;
  }

  bool read_hits() {
    while (at_ < bytes_.size()) {
      std::uint8_t* row = add_row();
      for (bool first = true; !take_line_end(); first = false) {
        if (!first) {
          if (at_ >= bytes_.size() || bytes_[at_] != ',')
            return fail_line("expected ',' or the end of the line after an index, " + found());
          ++at_;
        }
        std::size_t k = 0;
        const std::size_t place = at_;
        if (!read_index(table_.n_bits, "bit", k)) return false;
        if (!put(row, k)) {
          at_ = place;
          return fail_line("bit index " + std::to_string(k) + " is repeated");
        }
      }
      ++table_.n_shots;
    }
    return true;
  }

  bool read_dets() {
    while (true) {
      while (at_ < bytes_.size() && (bytes_[at_] == ' ' || bytes_[at_] == '\t' || bytes_[at_] == '\r' || bytes_[at_] == '\n')) {
        if (bytes_[at_++] != '\n') continue;
        ++line_;
        line_start_ = at_;
      }
      if (at_ >= bytes_.size()) return true;
      if (bytes_.substr(at_, 4) != "shot") return fail_line("expected 'shot', " + found());
      at_ += 4;
      std::uint8_t* row = add_row();
      // Stim writes the last line end, and reads a file without it.
      while (at_ < bytes_.size() && !take_line_end()) {
        if (bytes_[at_] != ' ') return fail_line("expected one space or the end of the line, " + found());
        const std::size_t place = ++at_;
        const char kind = at_ < bytes_.size() ? bytes_[at_] : '\n';
        if (kind != 'M' && kind != 'D' && kind != 'L') return fail_line("expected M#, D# or L#, " + found());
        ++at_;
        std::size_t k = 0;
        const bool good = kind == 'M'   ? read_index(layout_.n_measurements, "measurement", k)
                          : kind == 'D' ? read_index(layout_.n_detectors, "detector", k)
                                        : read_index(layout_.n_observables, "observable", k);
        if (!good) return false;
        if (kind != 'M') k += layout_.n_measurements;
        if (kind == 'L') k += layout_.n_detectors;
        if (!put(row, k)) {
          at_ = place;
          return fail_line("an index is repeated in one shot");
        }
      }
      ++table_.n_shots;
    }
  }

  bool read_ptb64() {
    if (table_.n_bits == 0) return bytes_.empty() || fail_byte(0, "expected no bytes, as a shot has no bits");
    const std::size_t group_bytes = 8 * table_.n_bits;
    const std::size_t rest = bytes_.size() % group_bytes;
    table_.n_shots = 64 * (bytes_.size() / group_bytes);
    if (rest != 0)
      return fail_byte(bytes_.size() - rest, "the file ends after " + std::to_string(rest) + " of the " +
                                                 std::to_string(group_bytes) + " bytes of 64 shots of " +
                                                 std::to_string(table_.n_bits) + " bits");
    table_.bytes.resize(table_.n_shots * table_.stride_bytes);
    for (std::size_t group = 0; group < table_.n_shots / 64; ++group) {
      for (std::size_t k = 0; k < table_.n_bits; ++k) {
        const char* word = bytes_.data() + group * group_bytes + 8 * k;
        for (std::size_t s = 0; s < 64; ++s)
          if ((static_cast<unsigned char>(word[s / 8]) >> (s % 8)) & 1) table_.set(64 * group + s, k);
      }
    }
    return true;
  }

  std::string_view bytes_;
  ShotLayout layout_;
  ShotTable table_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
  std::size_t line_start_ = 0;
  std::string error_;
};

/// Calls `visit(k)` for every one of a row, ascending.
template <class Visit>
void for_each_one(const ShotTable& table, std::size_t shot, Visit&& visit) {
  const std::uint8_t* row = table.row(shot);
  for (std::size_t byte = 0; byte < table.stride_bytes; ++byte) {
    if (row[byte] == 0) continue;
    for (std::size_t k = 8 * byte; k < 8 * byte + 8 && k < table.n_bits; ++k)
      if ((row[byte] >> (k % 8)) & 1) visit(k);
  }
}

inline void append_number(std::string& text, std::size_t value) {
  char digits[24];
  std::size_t n = 0;
  do {
    digits[n++] = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value != 0);
  while (n > 0) text += digits[--n];
}

}  // namespace detail

/// Reads all shots of a file. `bytes` in any format but `dets` say nothing of what a bit is: only layout.n_bits() counts.
/// Errors name the line and column (01, hits, dets) or the byte offset (b8, r8, ptb64; counted from 0) and what was expected.
inline Expected<ShotTable> parse_shots(std::string_view bytes, ShotFormat format, const ShotLayout& layout) {
  return detail::ShotReader(bytes, layout).read(format);
}
/// The same where every bit is a detector.
inline Expected<ShotTable> parse_shots(std::string_view bytes, ShotFormat format, std::size_t n_bits) {
  return parse_shots(bytes, format, ShotLayout{0, n_bits, 0});
}

/// The bytes that Stim writes for these shots. Pieces of a table written one after the other give the bytes of the whole.
/// Errors: ptb64 of shots that are not a multiple of 64; a layout that is not the table's number of bits.
inline Expected<std::string> format_shots(const ShotTable& table, ShotFormat format, const ShotLayout& layout) {
  if (layout.n_bits() != table.n_bits)
    return Error{"the layout has " + std::to_string(layout.n_bits()) + " bits, expected the table's " +
                 std::to_string(table.n_bits)};
  if (format == ShotFormat::ptb64 && table.n_shots % 64 != 0)
    return Error{"ptb64 holds groups of 64 shots, expected a multiple of 64, found " + std::to_string(table.n_shots)};
  std::string text;
  switch (format) {
    case ShotFormat::f01:
      text.assign(table.n_shots * (table.n_bits + 1), '0');
      for (std::size_t shot = 0; shot < table.n_shots; ++shot) {
        char* line = text.data() + shot * (table.n_bits + 1);
        detail::for_each_one(table, shot, [&](std::size_t k) { line[k] = '1'; });
        line[table.n_bits] = '\n';
      }
      break;
    case ShotFormat::b8: {
      const std::size_t n_bytes = (table.n_bits + 7) / 8;
      text.resize(table.n_shots * n_bytes);
      for (std::size_t shot = 0; shot < table.n_shots && n_bytes > 0; ++shot)
        std::memcpy(text.data() + shot * n_bytes, table.row(shot), n_bytes);
      break;
    }
    case ShotFormat::r8:
      for (std::size_t shot = 0; shot < table.n_shots; ++shot) {
        std::size_t next = 0;  // the first bit not yet told
        const auto put_run = [&](std::size_t k) {
          std::size_t zeros = k - next;
          for (; zeros >= 255; zeros -= 255) text += static_cast<char>(static_cast<unsigned char>(255));
          text += static_cast<char>(static_cast<unsigned char>(zeros));
          next = k + 1;
        };
        detail::for_each_one(table, shot, put_run);
        put_run(table.n_bits);
      }
      break;
    case ShotFormat::hits:
      for (std::size_t shot = 0; shot < table.n_shots; ++shot) {
        bool first = true;
        detail::for_each_one(table, shot, [&](std::size_t k) {
          if (!first) text += ',';
          first = false;
          detail::append_number(text, k);
        });
        text += '\n';
      }
      break;
    case ShotFormat::dets: {
      const std::size_t first_detector = layout.n_measurements;
      const std::size_t first_observable = first_detector + layout.n_detectors;
      for (std::size_t shot = 0; shot < table.n_shots; ++shot) {
        text += "shot";
        detail::for_each_one(table, shot, [&](std::size_t k) {
          text += k < first_detector ? " M" : k < first_observable ? " D" : " L";
          detail::append_number(text, k < first_detector    ? k
                                      : k < first_observable ? k - first_detector
                                                             : k - first_observable);
        });
        text += '\n';
      }
      break;
    }
    case ShotFormat::ptb64:
      text.assign(table.n_shots / 64 * 8 * table.n_bits, '\0');
      for (std::size_t shot = 0; shot < table.n_shots; ++shot) {
        char* group = text.data() + shot / 64 * 8 * table.n_bits;
        detail::for_each_one(table, shot, [&](std::size_t k) {
          char& byte = group[8 * k + shot % 64 / 8];
          byte = static_cast<char>(static_cast<unsigned char>(byte) | (1u << (shot % 8)));
        });
      }
      break;
  }
  return text;
}
/// The same where every bit is a detector.
inline Expected<std::string> format_shots(const ShotTable& table, ShotFormat format) {
  return format_shots(table, format, ShotLayout{0, table.n_bits, 0});
}

}  // namespace spinel::io
