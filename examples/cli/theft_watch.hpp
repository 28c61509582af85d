// SPDX-License-Identifier: Apache-2.0
// Which answers of an open-loop run were late because others had the processor: a loop that spins sees the clock stand still, the kernel
// counts context switches and page faults, and rounds that are decoded again in much less time need no more than that. Only kept are the
// facts of each answer; what they come to is told when the clock has stopped (docs/decisions/0025).
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "latency.hpp"

namespace spinel::cli {

/// The host's clock, and what its kernel did to this thread so far. Tests have one of their own.
struct HostClock {
  std::int64_t now_ns() const noexcept { return cli::now_ns(); }
  std::int64_t processor_ns() const noexcept { return cli::now_ns(CLOCK_THREAD_CPUTIME_ID); }
  long interruptions() const noexcept {
    const Interference i = Interference::now();
    return i.minor_faults + i.major_faults + i.voluntary_switches + i.involuntary_switches;
  }
};

/// A window's committed flips, or the reaction that ends a shot.
struct TimedAnswer {
  std::int64_t latency_ns;  ///< from when its last round was due
  std::int64_t service_ns;  ///< from when the decoder took it up
  bool is_reaction;
  bool after_idle;  ///< since the answer before, the loop has waited for a round: nothing of former delays is left
  bool after_gap;   ///< ... and after that the loop saw the clock stand still
  bool interrupted;  ///< the kernel counted a context switch or a page fault since the answer before, unless the loop waited after it
  bool slowed = false;     ///< the same rounds were decoded again in much less time
  bool disturbed = false;  ///< any of the three, or behind such an answer without idle time in between
};

/// What a run lost to others.
struct Theft {
  /// A spinning loop looks at the clock every 50 ns or so.
  static constexpr std::int64_t gap_ns = 1000;
  /// Whether a service was disturbed that takes `least_ns` at best. Rounds that were just decoded take little more than half of what they take
  /// when they are new: that much is the decoder's own.
  static constexpr bool is_slowed(std::int64_t service_ns, std::int64_t least_ns) noexcept { return service_ns > 2 * least_ns + gap_ns; }
  std::uint64_t gaps = 0;  ///< between two looks at the clock
  std::int64_t gaps_sum_ns = 0, longest_gap_ns = 0;
  std::uint64_t after_gap = 0, interrupted = 0, slowed = 0, behind = 0;  ///< disturbed answers by what they were disturbed by
  std::uint64_t disturbed_windows = 0, disturbed_reactions = 0, late_disturbed = 0;
};

/// Follows one loop: `begin`, then for every round `looked` until it is due, and `answered` after each answer.
template <class Clock>
class TheftWatch {
 public:
  TheftWatch(Clock& clock, Theft& theft) : clock_(clock), theft_(theft) {}

  void begin(std::int64_t now) noexcept {
    worked(now);
    interruptions_ = clock_.interruptions();
    after_idle_ = true;
    after_gap_ = false;
  }
  /// One look at the clock of a loop that waits for `due`, or takes what is overdue.
  void looked(std::int64_t now, std::int64_t due) noexcept {
    const std::int64_t gap = now - last_;
    last_ = now;
    if (gap > Theft::gap_ns) {
      ++theft_.gaps;
      theft_.gaps_sum_ns += gap;
      theft_.longest_gap_ns = std::max(theft_.longest_gap_ns, gap);
      after_gap_ = true;
      interruptions_ = clock_.interruptions();  // those of the gap are accounted for
    }
    if (now >= due) return;
    after_idle_ = true;
    after_gap_ = false;
  }
  /// Work that always takes about the same took much longer.
  void slowed_at_work() noexcept { after_gap_ = true; }
  /// What lies before `now` was work: no gap.
  void worked(std::int64_t now) noexcept { last_ = now; }
  TimedAnswer answered(bool is_reaction, std::int64_t now, std::int64_t due, std::int64_t taken) noexcept {
    const long before = interruptions_;
    interruptions_ = clock_.interruptions();
    const TimedAnswer answer{now - due, now - taken, is_reaction, after_idle_, after_gap_, interruptions_ != before};
    after_idle_ = after_gap_ = false;
    worked(now);
    return answer;
  }

 private:
  Clock& clock_;
  Theft& theft_;
  std::int64_t last_ = 0;
  long interruptions_ = 0;
  bool after_idle_ = false, after_gap_ = false;
};

/// Says of every answer whether it was disturbed. `service_again(shot, services)` decodes a shot once more and gives what each of its
/// answers takes; asked only about shots with a service among the longest hundredth, or past the deadline (0: none), that shows no sign of
/// its own.
template <class Again>
void find_disturbed(std::vector<TimedAnswer>& answers, Theft& theft, std::int64_t deadline_ns, Again&& service_again) {
  const auto shows = [](const TimedAnswer& answer) { return answer.after_gap || answer.interrupted; };
  Histogram without;
  for (const TimedAnswer& answer : answers)
    if (!shows(answer)) without.add(answer.service_ns);
  auto slow_ns = static_cast<std::int64_t>(without.quantile(0.99));
  if (deadline_ns > 0) slow_ns = std::min(slow_ns, deadline_ns);
  std::vector<std::int64_t> once, least;
  bool is_disturbed = false;
  for (std::size_t begin = 0, shot = 0; begin < answers.size(); ++shot) {
    std::size_t end = begin;
    bool is_asked = false;
    do is_asked |= !shows(answers[end]) && answers[end].service_ns > slow_ns;
    while (!answers[end++].is_reaction);
    least.assign(end - begin, std::int64_t{1} << 60);
    for (int time = 0; is_asked && time < 3; ++time) {
      once.clear();
      service_again(shot, once);
      for (std::size_t k = 0; k < least.size(); ++k) least[k] = std::min(least[k], once[k]);
    }
    for (std::size_t k = begin; k < end; ++k) {
      TimedAnswer& answer = answers[k];
      answer.slowed = !shows(answer) && Theft::is_slowed(answer.service_ns, least[k - begin]);
      theft.after_gap += answer.after_gap;
      theft.interrupted += answer.interrupted && !answer.after_gap;
      theft.slowed += answer.slowed;
      const bool is_behind = is_disturbed && !answer.after_idle;
      theft.behind += is_behind && !shows(answer) && !answer.slowed;
      is_disturbed = answer.disturbed = is_behind || shows(answer) || answer.slowed;
      if (is_disturbed) ++(answer.is_reaction ? theft.disturbed_reactions : theft.disturbed_windows);
      theft.late_disturbed += is_disturbed && deadline_ns > 0 && answer.latency_ns > deadline_ns;
    }
    begin = end;
  }
}

}  // namespace spinel::cli
