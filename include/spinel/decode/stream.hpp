// SPDX-License-Identifier: Apache-2.0
// The decoder of an unbounded stream: one round of measurements in, detection events by XOR, windows with commit and buffer
// regions over a matcher, committed observable flips readable at any time. Memory is the object; no heap, no clock.
// Rounds carry a number: what is lost, repeated, late or of the wrong width is reported, never absorbed in silence.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include <spinel/code/detectors.hpp>
#include <spinel/core/bits.hpp>
#include <spinel/core/config.hpp>
#include <spinel/core/span.hpp>
#include <spinel/core/status.hpp>
#include <spinel/decode/stream_window.hpp>
#include <spinel/simd/bit_ops.hpp>

namespace spinel {

/// What was wrong with a round that arrived.
enum class RoundFault : std::uint8_t {
  none,
  lost,         ///< rounds before this one never came
  repeated,     ///< the number of the round before: dropped
  late,         ///< an earlier number still: dropped
  implausible,  ///< a number too far ahead to be true: dropped
  wrong_width,  ///< not the bits of one round
  refused,      ///< the stream has stopped or is closed: dropped
};

constexpr const char* to_string(RoundFault fault) noexcept {
  switch (fault) {
    case RoundFault::none: return "none";
    case RoundFault::lost: return "lost";
    case RoundFault::repeated: return "repeated";
    case RoundFault::late: return "late";
    case RoundFault::implausible: return "implausible number";
    case RoundFault::wrong_width: return "wrong width";
    case RoundFault::refused: return "refused";
  }
  return "unknown fault";
}

/// What the stream does about a fault.
enum class OnFault : std::uint8_t {
  /// Rounds that are missing are left out of the history, and their errors show with the next. Nothing is known of an erased round's outcomes,
  /// so its edges to the round before weigh nothing, which makes the two one.
  erase,
  restart,  ///< forget the history, begin a new one with this round as reference
  stop,     ///< refuse everything until reset()
};

struct StreamOptions {
  OnFault on_fault = OnFault::erase;
  std::uint64_t first_round = 0;          ///< number of the round that prepares the state
  std::uint64_t max_lost_rounds = 1000;  ///< a counter further ahead than this is taken for damaged
};

/// Outcome of one `push_round`. `expected` is the number that was due.
struct RoundReport {
  RoundFault fault = RoundFault::none;
  std::uint64_t received = 0;
  std::uint64_t expected = 0;
  std::uint32_t erased = 0;    ///< rounds that this call found missing and left out
  bool decoded = false;        ///< a window was decoded: `observable_flips()` may have changed
  constexpr explicit operator bool() const noexcept { return fault == RoundFault::none; }
};

struct StreamCounters {
  std::uint64_t rounds = 0;  ///< of the history, without erased ones
  std::uint64_t windows = 0;
  std::uint64_t lost = 0, repeated = 0, late = 0, implausible = 0, wrong_width = 0, refused = 0, restarts = 0;
  std::uint64_t unexplained_events = 0;
  std::uint64_t unsettled_events = 0;  ///< sent to the boundary for want of time
  std::uint64_t answers_by[4] = {};    ///< windows, the closing one included, by Engine
};

/// The answer of a closed stream. `status`: ok; bad_shape (read-out of the wrong width) and bad_argument (fewer than two
/// rounds, or closed already) leave the stream as it was.
struct StreamResult {
  Status status = Status::bad_argument;
  ObservableFlips flips = 0;  ///< predicted over the whole history
  bool measured = false;      ///< parity of the data read-out along the logical operator
  /// The logical outcome after correction.
  constexpr bool corrected() const noexcept { return measured != ((flips & 1) != 0); }
};

/// Rounds go to the windows as they come.
struct NoPredecoder {
  static constexpr int lag = 0;
};

/// Decodes rounds of `stream` in windows of `Window` (an object like LatticeWindow). Work per round is bounded by that of one window.
/// With `Predecoder` (StreamPredecoder) windows get the events that its corrections leave, `Predecoder::lag` rounds after they came.
/// Round k of the history has number first_round + k; the last one pushed is followed by `finish`.
template <StreamExperiment stream, class Window = LatticeWindow<stream>, class Predecoder = NoPredecoder>
class StreamDecoder {
  static_assert(RequireValid<stream.memory(2)>::value);
  static_assert(stream.commit >= 1 && stream.buffer >= 1, "spinel: a stream commits and buffers at least one round each");
  static constexpr int h = stream.n_checks();
  static constexpr int lag = Predecoder::lag;
  static_assert(stream.window() >= lag, "spinel: a window of the stream is not shorter than its pre-decoder's lag");

 public:
  static constexpr bool has_predecoder = lag > 0;
  using WindowType = Window;
  using PredecoderType = Predecoder;
  static constexpr StreamExperiment experiment = stream;
  static constexpr std::size_t round_bits = static_cast<std::size_t>(stream.round_bits());
  static constexpr std::size_t round_bytes = (round_bits + 7) / 8;
  static constexpr std::size_t data_bits = static_cast<std::size_t>(stream.n_data());
  static constexpr std::size_t data_bytes = (data_bits + 7) / 8;
  using Round = Bits<round_bits>;
  using Data = Bits<data_bits>;
  using Boundary = Bits<static_cast<std::size_t>(h)>;  ///< detection events of the memory basis

  StreamDecoder() noexcept { reset(); }
  StreamDecoder(const StreamDecoder&) = delete;
  StreamDecoder& operator=(const StreamDecoder&) = delete;

  /// The windows' set-up (`decoder.window().set_up(...)`) comes before the first round.
  Window& window() noexcept { return window_; }
  const Window& window() const noexcept { return window_; }
  /// Likewise `decoder.predecoder().set_up(...)`.
  Predecoder& predecoder() noexcept { return predecoder_; }

  /// Forgets the history; the next one begins with round `options.first_round`.
  void reset(const StreamOptions& options = {}) noexcept {
    options_ = options;
    counters_ = {};
    stopped_ = false;
    begin_history(options.first_round);
  }

  /// Takes a round as packed bits (X checks, then Z checks, least significant bit first; stray bits of the last byte are ignored).
  /// Where a window is full, it is decoded before.
  template <class Until = NoDeadline>
  RoundReport push_round(std::uint64_t number, Span<const std::uint8_t> measurements, const Until& deadline = {}) noexcept {
    if (SPINEL_UNLIKELY(measurements.size() != round_bytes)) return push_wrong_width(number);
    Round round;
    round.load_b8(measurements.data());
    return push_round(number, round, deadline);
  }
  template <class Until = NoDeadline>
  RoundReport push_round(std::uint64_t number, const Round& measurements, const Until& deadline = {}) noexcept {
    RoundReport report{RoundFault::none, number, next_, 0, false};
    if (SPINEL_UNLIKELY(number != next_ || stopped_) && !recover(report)) return report;
    accept(measurements, report, deadline);
    return report;
  }

  /// Takes the final read-out of the data qubits, row by row, closes the history and decodes what is left of it.
  template <class Until = NoDeadline>
  StreamResult finish(Span<const std::uint8_t> data_measurements, const Until& deadline = {}) noexcept {
    if (data_measurements.size() != data_bytes) return {Status::bad_shape};
    Data data;
    data.load_b8(data_measurements.data());
    return finish(data, deadline);
  }
  template <class Until = NoDeadline>
  StreamResult finish(const Data& data, const Until& deadline = {}) noexcept {
    constexpr const auto& code = lattice<stream.memory(2)>;
    Boundary events;
    for (int k = 0; k < h; ++k) {
      bool parity = last_[static_cast<std::size_t>(k + (stream.basis == Basis::X ? 0 : h))];
      for (const auto q : code.check(stream.basis, k).corner)
        if (q != no_qubit) parity ^= data[static_cast<std::size_t>(q)];
      if (parity) events.set(static_cast<std::size_t>(k));
    }
    StreamResult result = finish(events, deadline);
    for (int k = 0; k < stream.distance; ++k)
      result.measured ^= data[static_cast<std::size_t>(code.logical_qubit(stream.basis, k))];
    return result;
  }
  /// The same from the detection events of the read-out; `measured` stays false.
  template <class Until = NoDeadline>
  StreamResult finish(const Boundary& events, const Until& deadline = {}) noexcept {
    if (stopped_ || counters_.rounds < 2) return {Status::bad_argument};
    stopped_ = true;
    if constexpr (has_predecoder) {
      predecoder_.finish([this](const Round& here, const Round& next, ObservableFlips flips) { settle(here, next, flips); });
      while (n_pending_ > ring_size) decode_window(deadline);
      for (int p = 0; p < n_pending_; ++p) flips_ ^= frame_[slot(p)];
    }
    std::int32_t n = collect(Window::last_layer - n_pending_, n_pending_);
    for_each_set_bit(events.words, [&](std::size_t k) {
      events_[n++] = Window::layout.id({0, Window::last_layer, static_cast<std::int32_t>(k)});
    });
    take(window_.decode(WindowKind::closing, {events_, static_cast<std::size_t>(n)}, [](std::int32_t) {}, deadline));
    return {Status::ok, flips_};
  }

  /// Decodes one whole experiment of `rounds` rounds from its packed detection events (own numbering, Stim's b8): forgets the history,
  /// pushes the rounds, closes. Errors: bad_shape for a wrong number of bytes, bad_argument for fewer than two rounds.
  StreamResult decode_b8(Span<const std::uint8_t> events, int rounds) noexcept {
    if (rounds < 2) return {Status::bad_argument};
    if (events.size() != static_cast<std::size_t>((stream.memory(rounds).n_detectors() + 7) / 8)) return {Status::bad_shape};
    const auto bits = [&](std::int64_t first, int n, auto& out, std::size_t at) {
      for (int k = 0; k < n; ++k, ++first)
        if ((events[static_cast<std::size_t>(first) / 8] >> (first % 8)) & 1) out.flip(at + static_cast<std::size_t>(k));
    };
    reset({options_.on_fault, 0, options_.max_lost_rounds});
    Round measured;
    bits(0, h, measured, stream.basis == Basis::X ? 0 : h);
    push_round(0, measured);
    for (int t = 1; t < rounds; ++t) {
      bits(std::int64_t{h} * (2 * t - 1), 2 * h, measured, 0);
      push_round(static_cast<std::uint64_t>(t), measured);
    }
    Boundary last;
    bits(boundary_detector_index(stream.memory(rounds), 0), h, last, 0);
    return finish(last);
  }

  /// The observable flips of everything committed so far.
  ObservableFlips observable_flips() const noexcept { return flips_; }
  /// Rounds of the history whose flips are committed, without erased ones.
  std::uint64_t committed_rounds() const noexcept { return counters_.rounds - static_cast<std::uint64_t>(n_pending_); }
  std::uint64_t next_round() const noexcept { return next_; }
  /// Whether the next round, if it is the one due, finds a full window and decodes it.
  bool next_push_decodes() const noexcept { return n_settled() == ring_size; }
  /// Number of the round with which the present history began.
  std::uint64_t first_round() const noexcept { return first_; }
  bool stopped() const noexcept { return stopped_; }
  const StreamCounters& counters() const noexcept { return counters_; }
  /// The last window's answer: its engine and how much of it is settled.
  const WindowAnswer& last_answer() const noexcept { return last_answer_; }

 private:
  static constexpr int ring_size = stream.window(), n_slots = ring_size + lag;

  void begin_history(std::uint64_t number) noexcept {
    next_ = first_ = number;
    counters_.rounds = 0;
    n_pending_ = 0;
    oldest_ = 0;
    flips_ = 0;
    last_.clear();
    is_reference_ = false;
    has_committed_ = false;
    for (auto& events : ring_) events.clear();
    if constexpr (has_predecoder) {
      n_settled_ = 0;
      predecoder_.begin();
    }
  }

  // == Faults: false where the round is dropped ==
  SPINEL_NOINLINE bool recover(RoundReport& report) noexcept {
    if (stopped_) return drop(report, RoundFault::refused, counters_.refused);
    if (report.received < next_) {
      const bool repeated = report.received + 1 == next_;
      drop(report, repeated ? RoundFault::repeated : RoundFault::late, repeated ? counters_.repeated : counters_.late);
      stopped_ = options_.on_fault == OnFault::stop;
      return false;
    }
    const std::uint64_t missing = report.received - next_;
    if (missing > options_.max_lost_rounds) {
      drop(report, RoundFault::implausible, counters_.implausible);
      stopped_ = options_.on_fault == OnFault::stop;
      return false;
    }
    report.fault = RoundFault::lost;
    counters_.lost += missing;
    if (options_.on_fault == OnFault::stop) {
      stopped_ = true;
      return false;
    }
    if (options_.on_fault == OnFault::restart) {
      restart(report.received);
      return true;
    }
    erase(report, missing);
    return true;
  }
  SPINEL_NOINLINE RoundReport push_wrong_width(std::uint64_t number) noexcept {
    RoundReport report{RoundFault::wrong_width, number, next_, 0, false};
    if (stopped_) {
      drop(report, RoundFault::refused, counters_.refused);
      return report;
    }
    ++counters_.wrong_width;
    if (options_.on_fault == OnFault::stop) stopped_ = true;
    if (options_.on_fault == OnFault::restart) restart(next_ + 1);
    // Where its number is not the one due either, what is missing shows with the next round.
    if (options_.on_fault == OnFault::erase && number == next_) erase(report, 1);
    return report;
  }
  static bool drop(RoundReport& report, RoundFault fault, std::uint64_t& counter) noexcept {
    report.fault = fault;
    ++counter;
    return false;
  }
  void erase(RoundReport& report, std::uint64_t n) noexcept {
    report.erased = static_cast<std::uint32_t>(n);
    next_ += n;
  }
  void restart(std::uint64_t number) noexcept {
    begin_history(number);
    is_reference_ = true;
    ++counters_.restarts;
  }

  // == Rounds and windows ==
  template <class Until>
  void accept(const Round& measurements, RoundReport& report, const Until& deadline) noexcept {
    // A full window waits for the round after it: had the stream ended, the closing window would have been all there was to do.
    if (n_settled() == ring_size) {
      decode_window(deadline);
      report.decoded = true;
    }
    Round& events = ring_[slot(n_pending_)];
    if (SPINEL_UNLIKELY(counters_.rounds == 0)) {
      events = measurements;
      begin_with(events);
    } else {
      for (std::size_t w = 0; w < Round::n_words; ++w) events.words[w] ^= measurements.words[w] ^ last_.words[w];
    }
    last_ = measurements;
    ++next_;
    ++counters_.rounds;
    ++n_pending_;
    if constexpr (has_predecoder)
      predecoder_.push(events, [this](const Round& here, const Round& next, ObservableFlips flips) { settle(here, next, flips); });
  }
  /// The next round's corrections; what they flip waits with it to be committed.
  void settle(const Round& here, const Round& next, ObservableFlips flips) noexcept {
    ring_[slot(n_settled_)] ^= here;
    frame_[slot(n_settled_++)] = flips;
    if (n_settled_ < n_pending_) ring_[slot(n_settled_)] ^= next;
  }
  /// Pending rounds whose events will not change but by a window.
  int n_settled() const noexcept {
    if constexpr (has_predecoder) return n_settled_;
    else return n_pending_;
  }
  /// The first round has detectors in the memory basis only, and none where the state before it is unknown.
  void begin_with(Round& events) const noexcept {
    for (int k = 0; k < 2 * h; ++k)
      if (is_reference_ || (k < h) != (stream.basis == Basis::X)) events.assign(static_cast<std::size_t>(k), false);
  }
  std::size_t slot(int pending) const noexcept {
    const int at = oldest_ + pending;
    return static_cast<std::size_t>(at < n_slots ? at : at - n_slots);
  }
  /// Lists the events of the oldest pending rounds, the first of them in window layer `first_layer`.
  std::int32_t collect(int first_layer, int n_rounds) noexcept {
    // Of all rounds first which bits are set: how many a word has is as good as random.
    constexpr int x_type = stream.basis == Basis::X ? 0 : 1, bits_of_round = 64 * static_cast<int>(Round::n_words);
    constexpr int rounds_at_once = 65536 / bits_of_round, most = 1024;
    static_assert(bits_of_round < most);
    std::uint16_t fired[most + 64];
    std::int32_t n = 0;
    for (int first = 0; first < n_rounds; first += rounds_at_once) {
      const std::int32_t x_first = Window::layout.id({x_type, first_layer + first, 0});
      const std::int32_t z_first = Window::layout.id({1 - x_type, first_layer + first, 0}) - h;
      int n_fired = 0;
      const auto list = [&] {
        for (int i = 0; i < n_fired; ++i) {
          const std::int32_t round = fired[i] / bits_of_round, k = fired[i] % bits_of_round;
          events_[n++] = k + round * Window::layout.layer_stride + (k < h ? x_first : z_first);
        }
        n_fired = 0;
      };
      const int end = n_rounds - first < rounds_at_once ? n_rounds : first + rounds_at_once;
      for (int p = first; p < end; ++p) {
        const Round& round = ring_[slot(p)];
        for (std::size_t w = 0; w < Round::n_words; ++w)
          n_fired += NativeBits::positions(round.words[w], static_cast<unsigned>((p - first) * bits_of_round) + static_cast<unsigned>(64 * w),
                                           fired + n_fired);
        if (n_fired > most - bits_of_round) list();
      }
      list();
    }
    return n;
  }
  template <class Until>
  void decode_window(const Until& deadline) noexcept {
    const WindowKind kind = has_committed_ ? WindowKind::moving : WindowKind::starting;
    const std::int32_t n = collect(Window::first_layer, ring_size);
    const WindowAnswer answer =
        window_.decode(kind, {events_, static_cast<std::size_t>(n)}, [this](std::int32_t id) { flip_event(id); },
                       deadline);
    take(answer);
    for (int p = 0; p < stream.commit; ++p) {
      ring_[slot(p)].clear();
      if constexpr (has_predecoder) flips_ ^= frame_[slot(p)];
    }
    if constexpr (has_predecoder) n_settled_ -= stream.commit;
    oldest_ = static_cast<int>(slot(stream.commit));
    n_pending_ -= stream.commit;
    has_committed_ = true;
    ++counters_.windows;
  }
  void flip_event(std::int32_t id) noexcept {
    const LatticeSite site = Window::layout.site(id);
    const bool is_x = (site.type == 0) == (stream.basis == Basis::X);
    ring_[slot(site.layer - Window::first_layer)].flip(static_cast<std::size_t>(site.position + (is_x ? 0 : h)));
  }
  void take(const WindowAnswer& answer) noexcept {
    flips_ ^= answer.flips;
    counters_.unexplained_events += static_cast<std::uint64_t>(answer.n_unexplained);
    counters_.unsettled_events += static_cast<std::uint64_t>(answer.n_unsettled);
    ++counters_.answers_by[static_cast<std::size_t>(answer.engine)];
    last_answer_ = answer;
  }

  // == Permanent: fixed at set-up ==
  StreamOptions options_;
  // == Per history ==
  std::uint64_t next_ = 0, first_ = 0;
  ObservableFlips flips_ = 0;
  int n_pending_ = 0;  ///< rounds that are not committed
  int n_settled_ = 0;  ///< those of them that the pre-decoder has corrected
  int oldest_ = 0;     ///< slot of the oldest of them
  bool is_reference_ = false, has_committed_ = false, stopped_ = false;
  Round last_;
  Round ring_[static_cast<std::size_t>(n_slots)];  ///< detection events of pending rounds; zero in free slots
  ObservableFlips frame_[static_cast<std::size_t>(n_slots)];  ///< flips by their corrections
  StreamCounters counters_;
  WindowAnswer last_answer_;
  // == Per window ==
  std::int32_t events_[static_cast<std::size_t>(ring_size + 1) * 2 * h];
  Window window_;
  [[no_unique_address]] Predecoder predecoder_;
};

}  // namespace spinel
