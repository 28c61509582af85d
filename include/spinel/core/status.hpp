// SPDX-License-Identifier: Apache-2.0
// How set-up reports failure: a status code, or a value with a status code. The hot path has nothing to report.
// io/ adds a text that names the place (io/error.hpp).
#pragma once

#include <cstdint>
#include <utility>

namespace spinel {

/// Outcome of a set-up step. Everything but `ok` leaves the object it was asked of as it was.
enum class Status : std::uint8_t {
  ok,
  bad_argument,       ///< a parameter outside its documented range
  bad_shape,          ///< sizes disagree (network and weights, model and shots, span and experiment)
  bad_format,         ///< bytes that are not what the format says
  bad_checksum,       ///< bytes that changed since they were written
  not_finite,         ///< NaN or infinity where a number is needed
  not_graphlike,      ///< an error mechanism with more than two detectors and no decomposition
  out_of_capacity,    ///< more than the compile-time or caller-given memory holds
  deadline_exceeded,  ///< the answer is the fallback's
  round_lost,         ///< a stream's round counter jumped
  unsupported,        ///< valid, but not on this instruction set or by this engine
};

/// English name of a status, a static string.
constexpr const char* to_string(Status status) noexcept {
  switch (status) {
    case Status::ok: return "ok";
    case Status::bad_argument: return "bad argument";
    case Status::bad_shape: return "bad shape";
    case Status::bad_format: return "bad format";
    case Status::bad_checksum: return "bad checksum";
    case Status::not_finite: return "not finite";
    case Status::not_graphlike: return "not graphlike";
    case Status::out_of_capacity: return "out of capacity";
    case Status::deadline_exceeded: return "deadline exceeded";
    case Status::round_lost: return "round lost";
    case Status::unsupported: return "unsupported";
  }
  return "unknown status";
}

/// A value, or the status that says why there is none. `value` is default-constructed unless `status` is ok.
template <class T>
struct [[nodiscard]] Result {
  Status status = Status::bad_argument;
  T value{};

  constexpr Result() = default;
  constexpr Result(T v) : status(Status::ok), value(std::move(v)) {}
  constexpr Result(Status s) : status(s) {}

  constexpr explicit operator bool() const noexcept { return status == Status::ok; }
  constexpr T& operator*() noexcept { return value; }
  constexpr const T& operator*() const noexcept { return value; }
  constexpr T* operator->() noexcept { return &value; }
  constexpr const T* operator->() const noexcept { return &value; }
};

}  // namespace spinel
