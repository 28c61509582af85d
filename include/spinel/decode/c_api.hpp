// SPDX-License-Identifier: Apache-2.0
// The C interface of a stream decoder: SPINEL_DEFINE_C_API(prefix, Decoder) in one C++ file, SPINEL_DECLARE_C_API(prefix) from c_api.h
// in the C files of the host program. `Decoder` is a type name without commas: StreamDecoder<...> under an alias. Where it has a
// StreamPredecoder, SPINEL_DEFINE_C_NETWORK(prefix, Decoder) adds the function that takes the weights.
#pragma once

#include <spinel/decode/c_api.h>

#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>

#include <spinel/core/arena.hpp>
#include <spinel/core/span.hpp>
#include <spinel/core/status.hpp>
#include <spinel/decode/experiment_edges.hpp>
#include <spinel/decode/stream.hpp>
#include <spinel/decode/stream_predecoder.hpp>
#include <spinel/noise/parameters.hpp>

namespace spinel::detail {

/// What the C functions do, once for every decoder type.
template <class Decoder>
struct CApi {
  using Window = typename Decoder::WindowType;
  using Edges = ExperimentEdges<Window::model_experiment>;

  static std::size_t scratch_size() noexcept {
    return Edges::memory_bytes() + Window::scratch_bytes_at_most(Edges::max_edges) + Arena::alignment;
  }
  static int uniform_noise(double p, double* noise) noexcept {
    if (noise == nullptr || !(p >= 0 && p <= 1)) return static_cast<int>(Status::bad_argument);
    const NoiseParameters parameters = uniform_depolarizing(p);
    for (int k = 0; k < NoiseParameters::n_parameters; ++k) noise[k] = parameters[k];
    return 0;
  }
  static Status init(void* storage, std::size_t storage_bytes, const double* noise, void* scratch, std::size_t scratch_bytes,
                     Decoder*& decoder) noexcept {
    if (storage == nullptr || noise == nullptr || scratch == nullptr) return Status::bad_argument;
    if (reinterpret_cast<std::uintptr_t>(storage) % alignof(Decoder) != 0) return Status::bad_argument;
    if (storage_bytes < sizeof(Decoder) || scratch_bytes < scratch_size()) return Status::out_of_capacity;
    NoiseParameters parameters;
    for (int k = 0; k < NoiseParameters::n_parameters; ++k) parameters[k] = noise[k];
    if (const Status status = parameters.validate(); status != Status::ok) return status;
    const Span<std::byte> memory{static_cast<std::byte*>(scratch), scratch_bytes};
    Arena arena(memory);
    const auto edges = Edges::make(CircuitNoise(parameters), arena);
    if (!edges) return edges.status;
    Decoder* made = ::new (storage) Decoder;
    const Status status = made->window().set_up(*edges, memory.subspan(arena.used()));
    if (status == Status::ok) decoder = made;
    return status;
  }
  /// `ranges` [layer][lowest, highest]: of the activations, for int8 only.
  static Status set_weights(Decoder& decoder, const void* blob, std::size_t n_bytes, const float* ranges) noexcept {
    using Predecoder = typename Decoder::PredecoderType;
    constexpr Network network = Predecoder::network_of_weights;
    if (blob == nullptr) return Status::bad_argument;
    WeightsView<network> view;
    const BlobCheck seen = WeightsView<network>::check({static_cast<const std::byte*>(blob), n_bytes}, view);
    if (!seen) return seen.status;
    if constexpr (std::is_same_v<typename Predecoder::Weights, CalibratedWeights<network>>) {
      if (ranges == nullptr) return Status::bad_argument;
      CalibratedWeights<network> weights{view, {}};
      for (int l = 0; l < network.n_layers; ++l) {
        if (!(ranges[2 * l] <= 0 && ranges[2 * l + 1] > 0 && ranges[2 * l] > -1e6f && ranges[2 * l + 1] < 1e6f)) return Status::bad_argument;
        weights.ranges.set(l, ranges[2 * l], ranges[2 * l + 1]);
      }
      return decoder.predecoder().set_up(weights);
    } else {
      return decoder.predecoder().set_up(view);
    }
  }
  static int push_round(Decoder& decoder, std::uint64_t number, const std::uint8_t* measurements, std::size_t n_bytes,
                        spinel_round_report* out) noexcept {
    const RoundReport report = decoder.push_round(number, Span<const std::uint8_t>(measurements, n_bytes));
    if (out != nullptr)
      *out = {report.received, report.expected, report.erased, static_cast<std::int32_t>(report.fault), report.decoded ? 1 : 0};
    return static_cast<int>(report.fault);
  }
  static spinel_result result_of(const StreamResult& result) noexcept {
    return {result.flips, static_cast<std::int32_t>(result.status), result.measured ? 1 : 0};
  }
  static OnFault on_fault(int value) noexcept {
    return value == SPINEL_ON_FAULT_RESTART ? OnFault::restart : value == SPINEL_ON_FAULT_STOP ? OnFault::stop : OnFault::erase;
  }
};
static_assert(static_cast<int>(RoundFault::refused) == SPINEL_ROUND_REFUSED);
static_assert(static_cast<int>(OnFault::stop) == SPINEL_ON_FAULT_STOP);
static_assert(NoiseParameters::n_parameters == SPINEL_NOISE_PARAMETERS);

}  // namespace spinel::detail

#define SPINEL_DEFINE_C_API(prefix, Decoder)                                                                                       \
  extern "C" {                                                                                                                     \
  SPINEL_DECLARE_C_API(prefix);                                                                                                    \
  size_t prefix##_size(void) { return sizeof(Decoder); }                                                                           \
  size_t prefix##_alignment(void) { return alignof(Decoder); }                                                                     \
  size_t prefix##_scratch_size(void) { return spinel::detail::CApi<Decoder>::scratch_size(); }                                     \
  size_t prefix##_round_bytes(void) { return Decoder::round_bytes; }                                                               \
  size_t prefix##_data_bytes(void) { return Decoder::data_bytes; }                                                                 \
  int prefix##_uniform_noise(double p, double* noise) { return spinel::detail::CApi<Decoder>::uniform_noise(p, noise); }           \
  int prefix##_init(void* storage, size_t storage_bytes, const double* noise, void* scratch, size_t scratch_bytes,                 \
                    prefix##_decoder** decoder) {                                                                                  \
    Decoder* made = nullptr;                                                                                                       \
    const spinel::Status status =                                                                                                  \
        spinel::detail::CApi<Decoder>::init(storage, storage_bytes, noise, scratch, scratch_bytes, made);                          \
    if (decoder != nullptr) *decoder = reinterpret_cast<prefix##_decoder*>(made);                                                  \
    return static_cast<int>(status);                                                                                               \
  }                                                                                                                                \
  void prefix##_reset(prefix##_decoder* decoder, uint64_t first_round, int on_fault) {                                             \
    reinterpret_cast<Decoder*>(decoder)->reset(                                                                                    \
        {.on_fault = spinel::detail::CApi<Decoder>::on_fault(on_fault), .first_round = first_round});                              \
  }                                                                                                                                \
  int prefix##_push_round(prefix##_decoder* decoder, uint64_t number, const uint8_t* measurements, size_t n_bytes,                 \
                          spinel_round_report* report) {                                                                           \
    return spinel::detail::CApi<Decoder>::push_round(*reinterpret_cast<Decoder*>(decoder), number, measurements, n_bytes, report); \
  }                                                                                                                                \
  uint64_t prefix##_corrections(const prefix##_decoder* decoder, uint64_t* committed_rounds) {                                     \
    const Decoder* stream = reinterpret_cast<const Decoder*>(decoder);                                                             \
    if (committed_rounds != nullptr) *committed_rounds = stream->committed_rounds();                                               \
    return stream->observable_flips();                                                                                             \
  }                                                                                                                                \
  spinel_result prefix##_finish(prefix##_decoder* decoder, const uint8_t* data_measurements, size_t n_bytes) {                     \
    return spinel::detail::CApi<Decoder>::result_of(                                                                               \
        reinterpret_cast<Decoder*>(decoder)->finish(spinel::Span<const uint8_t>(data_measurements, n_bytes)));                                       \
  }                                                                                                                                \
  spinel_result prefix##_decode_b8(prefix##_decoder* decoder, const uint8_t* events, size_t n_bytes, int rounds) {                 \
    return spinel::detail::CApi<Decoder>::result_of(                                                                               \
        reinterpret_cast<Decoder*>(decoder)->decode_b8(spinel::Span<const uint8_t>(events, n_bytes), rounds));                                       \
  }                                                                                                                                \
  }                                                                                                                                \
  static_assert(true)

#define SPINEL_DEFINE_C_NETWORK(prefix, Decoder)                                                                                   \
  extern "C" {                                                                                                                     \
  SPINEL_DECLARE_C_NETWORK(prefix);                                                                                                \
  int prefix##_set_weights(prefix##_decoder* decoder, const void* blob, size_t n_bytes, const float* ranges) {                     \
    return static_cast<int>(                                                                                                       \
        spinel::detail::CApi<Decoder>::set_weights(*reinterpret_cast<Decoder*>(decoder), blob, n_bytes, ranges));                  \
  }                                                                                                                                \
  }                                                                                                                                \
  static_assert(true)
