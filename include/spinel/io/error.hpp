// SPDX-License-Identifier: Apache-2.0
// How readers and writers report failure: a value, or a sentence that names the place and what was expected there.
// The only folder that carries texts; everything below io/ reports a Status.
#pragma once

#include <optional>
#include <string>
#include <utility>

namespace spinel::io {

/// Why there is no value: one English sentence without a final full stop, ready to be shown to the user.
struct Error {
  std::string text;
};

/// A value of type T, or the error that explains its absence. Reading the value of a failure is a precondition violation.
template <class T>
class [[nodiscard]] Expected {
 public:
  Expected(T value) : value_(std::move(value)) {}
  Expected(Error error) : error_(std::move(error.text)) {}

  explicit operator bool() const noexcept { return value_.has_value(); }
  T& operator*() & noexcept { return *value_; }
  const T& operator*() const& noexcept { return *value_; }
  T&& operator*() && noexcept { return std::move(*value_); }
  T* operator->() noexcept { return &*value_; }
  const T* operator->() const noexcept { return &*value_; }
  /// Empty when there is a value.
  const std::string& error() const noexcept { return error_; }

 private:
  std::optional<T> value_;
  std::string error_;
};

/// Success without a value, or an error.
template <>
class [[nodiscard]] Expected<void> {
 public:
  Expected() = default;
  Expected(Error error) : failed_(true), error_(std::move(error.text)) {}

  explicit operator bool() const noexcept { return !failed_; }
  const std::string& error() const noexcept { return error_; }

 private:
  bool failed_ = false;
  std::string error_;
};

}  // namespace spinel::io
