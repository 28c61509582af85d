// SPDX-License-Identifier: Apache-2.0
// A real-time run on a clock of the test's own, from which time is taken at known places: answers that it delayed are found to be
// disturbed, the others not, and the latencies of the latter are those of a run from which nothing was taken.
#include <examples/cli/stream_run_impl.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <vector>

namespace spinel::cli {
namespace {

constexpr StreamExperiment stream{3, 3, 3};
using Decoder = StreamDecoder<stream>;
constexpr std::int64_t look_ns = 20;

/// Every look takes `look_ns`, and work takes no time; at some times the processor is away for a while.
struct TestClock {
  struct Absence {
    std::int64_t at, length;
    bool is_counted;  ///< as a context switch
  };
  std::int64_t now = 0;
  long switches = 0;
  std::vector<Absence> absences;
  std::size_t next = 0;

  std::int64_t now_ns() noexcept {
    now += look_ns;
    for (; next < absences.size() && absences[next].at <= now; ++next) {
      now += absences[next].length;
      switches += absences[next].is_counted;
    }
    return now;
  }
  std::int64_t processor_ns() const noexcept { return now; }
  long interruptions() const noexcept { return switches; }
};

StreamRun run_with(std::vector<TestClock::Absence> absences, double deadline_us = 0) {
  StreamRun run;
  run.experiment = {stream.distance, 30, stream.basis, Orientation::O1};
  run.noise = CircuitNoise(uniform_depolarizing(0.003));
  run.shots = 400;
  run.cadence_us = 1;
  run.deadline_us = deadline_us;
  const auto decoder = std::make_unique<Decoder>();
  set_up_lattice<stream>(run, *decoder);
  TestClock clock;
  clock.absences = std::move(absences);
  run_shots<stream>(run, *decoder, clock);
  return run;
}
constexpr std::int64_t end_ns = 400 * 30 * 1000;

TEST(TheftWatch, FindsNothingWhereNothingIsTaken) {
  const StreamRun run = run_with({}, 0.2);
  EXPECT_EQ(run.theft.gaps, 0u);
  EXPECT_EQ(run.theft.disturbed_windows + run.theft.disturbed_reactions, 0u);
  EXPECT_EQ(run.undisturbed_window.n(), run.window.n());
  EXPECT_EQ(run.undisturbed_reaction.n(), 400u);
  EXPECT_EQ(run.undisturbed_shot_latency.n(), 400u);
  EXPECT_LE(run.window.max(), 200u);
  EXPECT_EQ(run.late, 0u);
}

// Rounds come every 1000 ns, answers take some looks: an absence of 5 us from the middle of a round's wait is seen as a gap.
TEST(TheftWatch, TimeTakenFromWaiting) {
  for (const bool is_counted : {false, true}) {
    const StreamRun run = run_with({{100'500, 5000, is_counted}, {200'500, 300, false}}, 0.2);
    EXPECT_EQ(run.theft.gaps, 1u) << "300 ns are over before anything is due, and not seen";
    EXPECT_EQ(run.theft.longest_gap_ns, 5000 + look_ns);
    EXPECT_EQ(run.theft.after_gap, 1u);
    EXPECT_EQ(run.theft.interrupted + run.theft.slowed, 0u);
    EXPECT_EQ(run.theft.disturbed_windows, 2u) << "five rounds wait, in them two windows";
    EXPECT_EQ(run.theft.behind, 1u);
    EXPECT_EQ(run.late, 2u);
    EXPECT_EQ(run.theft.late_disturbed, 2u);
    EXPECT_GT(run.window.max(), 3000u);
    EXPECT_LE(run.undisturbed_window.max(), 200u);
    EXPECT_EQ(run.undisturbed_shot_latency.n(), 399u);
  }
}

TEST(TheftWatch, RandomAbsences) {
  const std::uint64_t usual = run_with({}).window.max();
  std::mt19937_64 random(5);
  for (int time = 0; time < 5; ++time) {
    std::vector<TestClock::Absence> absences;
    std::int64_t longest = 0;
    for (std::int64_t at = 30'000; at < end_ns; at += 20'000 + static_cast<std::int64_t>(random() % 100'000)) {
      absences.push_back({at, 1100 + static_cast<std::int64_t>(random() % 30'000), random() % 2 == 0});
      longest = std::max(longest, absences.back().length);
    }
    const StreamRun run = run_with(absences);
    const Theft& theft = run.theft;
    EXPECT_GE(run.window.max(), static_cast<std::uint64_t>(longest / 2));
    EXPECT_LE(run.undisturbed_window.max(), usual + 2 * look_ns);
    EXPECT_LE(run.undisturbed_reaction.max(), usual + 2 * look_ns);
    // No more than what an absence, and the rounds that it kept waiting, can touch.
    std::uint64_t most = 0;
    for (const auto& absence : absences) most += 2 + static_cast<std::uint64_t>(absence.length) * 11 / 10 / 2000;
    EXPECT_LE(theft.disturbed_windows + theft.disturbed_reactions, most);
    EXPECT_GT(theft.disturbed_windows, 20u);
    EXPECT_GT(theft.behind, 20u);
    EXPECT_GT(theft.after_gap, 20u);
    EXPECT_EQ(theft.disturbed_windows + theft.disturbed_reactions, theft.after_gap + theft.interrupted + theft.slowed + theft.behind);
  }
}

/// Absences while the decoder works: all that is seen is the kernel's count, or that the same goes faster once more.
TEST(TheftWatch, TimeTakenFromService) {
  struct Answers {
    std::vector<TimedAnswer> answers;
    Theft theft;
  };
  const auto watched = [](bool is_counted) {
    Answers out;
    TestClock clock;
    TheftWatch watch(clock, out.theft);
    watch.begin(clock.now_ns());
    std::int64_t due = 1000;
    for (int k = 0; k < 1000; ++k, due += 1000) {
      std::int64_t now;
      do watch.looked(now = clock.now_ns(), due);
      while (now < due);
      const std::int64_t taken = now;
      clock.now += 300;
      if (k == 500) {
        clock.now += 2500;
        clock.switches += is_counted;
      }
      now = clock.now_ns();
      out.answers.push_back(watch.answered(k % 10 == 9, now, due, taken));
    }
    return out;
  };
  for (const bool is_counted : {false, true}) {
    Answers out = watched(is_counted);
    int asked = 0;
    find_disturbed(out.answers, out.theft, 0, [&](std::size_t shot, std::vector<std::int64_t>& services) {
      EXPECT_EQ(shot, 50u);
      ++asked;
      // The first time is disturbed again.
      services.assign(10, asked == 1 ? 4000 : 320);
    });
    EXPECT_EQ(asked, is_counted ? 0 : 3);
    EXPECT_EQ(out.theft.gaps, 0u);
    EXPECT_EQ(out.theft.interrupted, is_counted ? 1u : 0u);
    EXPECT_EQ(out.theft.slowed, is_counted ? 0u : 1u);
    for (std::size_t k = 0; k < 1000; ++k) {
      const bool is_late = out.answers[k].latency_ns > 400;
      EXPECT_EQ(out.answers[k].disturbed, is_late) << k << ": " << out.answers[k].latency_ns;
    }
    EXPECT_GT(out.theft.behind, 1u);
    EXPECT_EQ(out.theft.disturbed_windows + out.theft.disturbed_reactions, 1 + out.theft.behind);
  }
  // What takes as long once more is the decoder's own.
  Answers own = watched(false);
  find_disturbed(own.answers, own.theft, 0, [](std::size_t, std::vector<std::int64_t>& services) { services.assign(10, 1000); });
  EXPECT_EQ(own.theft.disturbed_windows + own.theft.disturbed_reactions, 0u);
}

}  // namespace
}  // namespace spinel::cli
