// SPDX-License-Identifier: Apache-2.0
// Five policies on the same kind of drifting device, one row each: what the guarded engine gains over never, always and chi-squared, and what
// is left to an oracle.
// usage: example_calibration_campaign [decisions of the engine, each seed] [decisions of each other policy] [share of faulty experiments]
//                                     [seeds of the engine] [first seed]
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <examples/calibration_campaign.hpp>

int main(int argc, char** argv) {
  using namespace spinel::example;
  const long engine = argc > 1 ? std::atol(argv[1]) : 2000, others = argc > 2 ? std::atol(argv[2]) : 2000;
  const double faults = argc > 3 ? std::atof(argv[3]) : 0.05;
  const int seeds = argc > 4 ? std::atoi(argv[4]) : 1;
  const auto first = static_cast<std::uint64_t>(argc > 5 ? std::atoll(argv[5]) : 42);
  std::printf("| policy | decisions | faulty experiments | writes | harmful writes | false rejects | rollbacks | operator | days | usable share of time | first usable after min | experiments a day | experiments a write |\n");
  std::printf("|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
  long harmful = 0, made = 0, writes = 0;
  const auto row = [&](Policy policy, std::uint64_t seed, long decisions) {
    const auto s = Campaign{policy, seed, faults}.run(decisions);
    const double days = s.time_s / 86400;
    std::printf("| %s, seed %d | %ld | %ld | %ld | %ld | %.2f %% of %ld | %ld | %ld | %.1f | %.1f %% | %.0f | %.0f | %.2f |\n", policy_names[static_cast<int>(policy)], static_cast<int>(seed), s.decisions, s.faults, s.writes, s.harmful,
                s.sound > 0 ? 100.0 * static_cast<double>(s.false_rejects) / static_cast<double>(s.sound) : 0.0, s.sound, s.rollbacks, s.interventions, days, 100 * s.usable_s / s.time_s,
                s.start_to_usable_s < 0 ? NAN : s.start_to_usable_s / 60, s.experiments / days, s.writes > 0 ? s.experiments / static_cast<double>(s.writes) : 0.0);
    std::fflush(stdout);
    if (policy == Policy::engine) harmful += s.harmful, made += s.decisions, writes += s.writes;
  };
  for (int k = 0; k < seeds; ++k) row(Policy::engine, first + static_cast<std::uint64_t>(k), engine);
  for (const auto policy : {Policy::never, Policy::accept_all, Policy::chi_squared, Policy::oracle}) row(policy, first, others);
  // With no event in n, the rate is below 3.7/n at 97.5 % (Clopper-Pearson).
  const auto above = [](long n) { return 1 - std::pow(0.025, 1 / static_cast<double>(n)); };
  if (harmful == 0 && writes > 0) std::printf("\nengine: 0 harmful writes in %ld decisions and %ld writes; 95 %% interval 0 to %.2g a decision, 0 to %.2g a write\n", made, writes, above(made), above(writes));
  else std::printf("\nengine: %ld harmful writes in %ld decisions and %ld writes\n", harmful, made, writes);
}
