// SPDX-License-Identifier: Apache-2.0
// The first half of reading a .dem: text -> instructions with their blocks matched, every rule of the language that does
// not depend on unrolling checked here, with line and column. io/dem.hpp unrolls the result.
// Source: the description of the language in Stim's documentation, and Stim 1.16's behavior where it is silent.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <spinel/io/error.hpp>

namespace spinel::io::detail {

inline constexpr std::uint64_t dem_index_end = std::uint64_t{1} << 62;
inline constexpr std::uint64_t max_observables = 64;

enum class DemKind : std::uint8_t { error, detector, logical_observable, shift_detectors, repeat, block_end };

struct DemTarget {
  enum Kind : std::uint8_t { detector, observable, separator };
  Kind kind;
  std::uint64_t value;
};

struct DemInstruction {
  DemKind kind;
  std::size_t line;
  std::size_t arguments_begin, arguments_end, targets_begin, targets_end;
  std::uint64_t count;   ///< passes of a repeat block
  std::size_t partner;   ///< of repeat: its block_end; of block_end: its repeat
};

struct DemSyntax {
  std::vector<DemInstruction> instructions;
  std::vector<double> arguments;
  std::vector<DemTarget> targets;
};

inline Error dem_error(std::size_t line, const std::string& what) {
  return Error{"line " + std::to_string(line) + ": " + what};
}

/// Appends the shortest decimal that reads back to the same double.
inline void append_shortest(std::string& text, double value) {
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value).ptr;
  text.append(buffer, end);
}

/// One pass over the text. A cursor and a stack of open blocks, no recursion.
class DemReader {
 public:
  explicit DemReader(std::string_view text) : text_(text) {}

  Expected<DemSyntax> read() {
    while (true) {
      skip_blank(true);
      if (at_end()) break;
      if (!read_instruction()) return Error{std::move(error_)};
    }
    if (!open_.empty())
      return dem_error(syntax_.instructions[open_.back()].line, "this repeat block has no closing '}'");
    return std::move(syntax_);
  }

 private:
  bool at_end() const noexcept { return at_ >= text_.size(); }
  char peek() const noexcept { return at_end() ? '\n' : text_[at_]; }
  static bool is_blank(char c) noexcept { return c == ' ' || c == '\t' || c == '\r'; }
  static bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
  static bool is_letter(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

  bool fail(const std::string& what) { return fail_at(at_, what); }
  bool fail_at(std::size_t place, const std::string& what) {
    error_ = "line " + std::to_string(line_) + ", column " + std::to_string(place - line_start_ + 1) + ": " + what;
    return false;
  }
  std::string found() const {
    if (at_end()) return "found the end of the text";
    if (peek() == '\n' || peek() == '\r') return "found the end of the line";
    const auto byte = static_cast<unsigned char>(peek());
    if (byte >= 0x20 && byte < 0x7f) return std::string("found '") + peek() + "'";
    constexpr char digits[] = "0123456789abcdef";
    return std::string("found byte 0x") + digits[byte >> 4] + digits[byte & 15];
  }

  /// Blanks and comments; with `lines` also line ends.
  void skip_blank(bool lines) {
    while (!at_end()) {
      const char c = text_[at_];
      if (c == '#') {
        while (!at_end() && text_[at_] != '\n') ++at_;
      } else if (c == '\n') {
        if (!lines) return;
        ++at_;
        ++line_;
        line_start_ = at_;
      } else if (is_blank(c)) {
        ++at_;
      } else {
        return;
      }
    }
  }

  bool read_instruction() {
    DemInstruction instruction{};
    instruction.line = line_;
    instruction.arguments_begin = syntax_.arguments.size();
    instruction.targets_begin = syntax_.targets.size();
    if (peek() == '}') {
      if (open_.empty()) return fail("'}' closes no repeat block");
      instruction.kind = DemKind::block_end;
      instruction.partner = open_.back();
      syntax_.instructions[open_.back()].partner = syntax_.instructions.size();
      open_.pop_back();
      ++at_;
      return finish(instruction);
    }
    const std::size_t name_at = at_;
    std::string name;
    for (; !at_end() && (is_letter(peek()) || is_digit(peek())); ++at_)
      if (name.size() < 64) name += peek() >= 'A' && peek() <= 'Z' ? static_cast<char>(peek() - 'A' + 'a') : peek();
    if (name.empty()) return fail("expected an instruction name, " + found());
    if (name == "error") instruction.kind = DemKind::error;
    else if (name == "detector") instruction.kind = DemKind::detector;
    else if (name == "logical_observable") instruction.kind = DemKind::logical_observable;
    else if (name == "shift_detectors") instruction.kind = DemKind::shift_detectors;
    else if (name == "repeat") instruction.kind = DemKind::repeat;
    else
      return fail_at(name_at, "unknown instruction '" + name +
                                  "', expected error, detector, logical_observable, shift_detectors or repeat");
    if (peek() == '[' && !skip_tag()) return false;
    if (peek() == '(' && !read_arguments()) return false;
    instruction.arguments_end = syntax_.arguments.size();
    if (!at_end() && peek() != '\n' && peek() != '#' && peek() != '{' && !is_blank(peek()))
      return fail("expected a space between '" + name + "' and its targets, " + found());
    skip_blank(false);
    return instruction.kind == DemKind::repeat ? read_repeat(instruction, name_at)
                                               : read_targets(instruction, name, name_at);
  }

  bool finish(DemInstruction& instruction) {
    instruction.arguments_end = syntax_.arguments.size();
    instruction.targets_end = syntax_.targets.size();
    syntax_.instructions.push_back(instruction);
    return true;
  }

  bool skip_tag() {
    const std::size_t start = at_;
    for (; !at_end() && peek() != ']' && peek() != '\n'; ++at_) {
      if (peek() != '\\') continue;
      ++at_;
      if (peek() != 'B' && peek() != 'C' && (at_end() || (peek() != 'n' && peek() != 'r')))
        return fail("expected \\B, \\C, \\n or \\r in a tag, " + found());
    }
    if (peek() != ']') return fail_at(start, "this tag has no closing ']' on its line");
    ++at_;
    return true;
  }

  bool read_arguments() {
    ++at_;
    while (true) {
      skip_spaces();
      double value = 0;
      if (!read_number(value)) return false;
      syntax_.arguments.push_back(value);
      skip_spaces();
      if (peek() == ',') {
        ++at_;
      } else if (peek() == ')' && !at_end()) {
        ++at_;
        return true;
      } else {
        return fail("expected ',' or ')' after a number, " + found());
      }
    }
  }
  void skip_spaces() noexcept {
    while (!at_end() && (peek() == ' ' || peek() == '\t')) ++at_;
  }

  /// A finite decimal number with optional sign, fraction and exponent.
  bool read_number(double& value) {
    const std::size_t start = at_;
    if (peek() == '+') ++at_;  // from_chars takes a minus only
    const std::size_t digits = at_ + ((at_ == start && peek() == '-') ? 1 : 0);
    const char first = digits < text_.size() ? text_[digits] : '\n';
    if (!is_digit(first) && first != '.') {
      at_ = start;
      return fail("expected a number, " + found());  // nan and inf end here too
    }
    const char* const end = text_.data() + text_.size();
    const auto result = std::from_chars(text_.data() + at_, end, value);
    if (result.ec == std::errc::invalid_argument) {
      at_ = start;
      return fail("expected a number, " + found());
    }
    const auto length = static_cast<std::size_t>(result.ptr - (text_.data() + at_));
    if (result.ec == std::errc::result_out_of_range) {
      const std::string_view number = text_.substr(at_, length);
      if (number.find("e-") == number.npos && number.find("E-") == number.npos)
        return fail_at(start, "this number does not fit a double");
      value = 0;
    }
    at_ += length;
    return true;
  }

  bool read_integer(std::uint64_t& value) {
    const std::size_t start = at_;
    if (at_end() || !is_digit(peek())) return fail("expected a non-negative integer, " + found());
    value = 0;
    for (; !at_end() && is_digit(peek()); ++at_) {
      value = 10 * value + static_cast<std::uint64_t>(peek() - '0');
      if (value >= dem_index_end) return fail_at(start, "this integer is too large, expected less than 2^62");
    }
    return true;
  }

  bool read_repeat(DemInstruction& instruction, std::size_t name_at) {
    if (instruction.arguments_begin != instruction.arguments_end)
      return fail_at(name_at, "repeat takes no arguments in parentheses");
    if (!read_integer(instruction.count)) return false;
    skip_spaces();
    if (peek() != '{') return fail("expected '{' after the number of repetitions, " + found());
    ++at_;
    open_.push_back(syntax_.instructions.size());
    return finish(instruction);
  }

  bool read_targets(DemInstruction& instruction, const std::string& name, std::size_t name_at) {
    const DemKind kind = instruction.kind;
    while (!at_end() && peek() != '\n') {
      const std::size_t target_at = at_;
      DemTarget target{DemTarget::separator, 0};
      if (kind == DemKind::shift_detectors) {
        target.kind = DemTarget::detector;
        if (!read_integer(target.value)) return false;
      } else if (peek() == 'D' || peek() == 'd' || peek() == 'L' || peek() == 'l') {
        target.kind = peek() == 'D' || peek() == 'd' ? DemTarget::detector : DemTarget::observable;
        ++at_;
        if (!read_integer(target.value)) return false;
        if (target.kind == DemTarget::observable && target.value >= max_observables)
          return fail_at(target_at, "observable L" + std::to_string(target.value) +
                                        " is beyond the 64 that an observable mask holds (L0 to L63)");
      } else if (peek() == '^' && kind == DemKind::error) {
        ++at_;
      } else {
        return fail(kind == DemKind::error      ? "expected a target D#, L# or ^, " + found()
                    : kind == DemKind::detector ? "expected a detector D#, " + found()
                                                : "expected an observable L#, " + found());
      }
      if (kind == DemKind::detector && target.kind != DemTarget::detector)
        return fail_at(target_at, "detector takes a detector D#, not an observable");
      if (kind == DemKind::logical_observable && target.kind != DemTarget::observable)
        return fail_at(target_at, "logical_observable takes an observable L#, not a detector");
      if (target.kind == DemTarget::separator &&
          (syntax_.targets.size() == instruction.targets_begin ||
           syntax_.targets.back().kind == DemTarget::separator))
        return fail_at(target_at, "expected a target D# or L# before '^'");
      syntax_.targets.push_back(target);
      if (!at_end() && peek() != '\n' && peek() != '#' && !is_blank(peek()))
        return fail("expected a space after a target, " + found());
      skip_blank(false);
    }
    const std::size_t n_targets = syntax_.targets.size() - instruction.targets_begin;
    const std::size_t n_arguments = instruction.arguments_end - instruction.arguments_begin;
    if (kind == DemKind::error) {
      if (n_arguments != 1)
        return fail_at(name_at, "error takes 1 probability in parentheses, found " + std::to_string(n_arguments));
      const double p = syntax_.arguments[instruction.arguments_begin];
      if (!(p >= 0 && p <= 1)) {
        std::string text;
        append_shortest(text, p);
        return fail_at(name_at, "probability " + text + " is outside [0, 1]");
      }
      if (n_targets > 0 && syntax_.targets.back().kind == DemTarget::separator)
        return fail("expected a target D# or L# after '^', " + found());
    } else if (n_targets != 1) {
      return fail_at(name_at, name + " takes 1 target, found " + std::to_string(n_targets));
    }
    if (kind == DemKind::logical_observable && n_arguments != 0)
      return fail_at(name_at, "logical_observable takes no arguments in parentheses");
    return finish(instruction);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
  std::size_t line_start_ = 0;
  std::string error_;
  DemSyntax syntax_;
  std::vector<std::size_t> open_;
};

}  // namespace spinel::io::detail
