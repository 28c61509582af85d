// SPDX-License-Identifier: Apache-2.0
// Five policies on the same kind of drifting device, one row each: what the guarded engine gains over never, always and chi-squared, and what
// is left to an oracle.
// usage: example_calibration_campaign [decisions of the engine] [decisions of each other policy] [share of faulty experiments]
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <examples/calibration_campaign.hpp>

int main(int argc, char** argv) {
  using namespace spinel::example;
  const long engine = argc > 1 ? std::atol(argv[1]) : 2000, others = argc > 2 ? std::atol(argv[2]) : 2000;
  const double faults = argc > 3 ? std::atof(argv[3]) : 0.05;
  std::printf("| policy | decisions | faulty experiments | writes | harmful writes | false rejects | rollbacks | operator | days | usable share of time | first usable after min | experiments a day | experiments a write |\n");
  std::printf("|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
  for (int k = 0; k < 5; ++k) {
    const auto policy = static_cast<Policy>(k);
    const auto s = Campaign{policy, 42, faults}.run(policy == Policy::engine ? engine : others);
    const double days = s.time_s / 86400;
    std::printf("| %s | %ld | %ld | %ld | %ld | %.2f %% of %ld | %ld | %ld | %.1f | %.1f %% | %.0f | %.0f | %.2f |\n", policy_names[k], s.decisions, s.faults, s.writes, s.harmful,
                s.sound > 0 ? 100.0 * static_cast<double>(s.false_rejects) / static_cast<double>(s.sound) : 0.0, s.sound, s.rollbacks, s.interventions, days, 100 * s.usable_s / s.time_s,
                s.start_to_usable_s < 0 ? NAN : s.start_to_usable_s / 60, s.experiments / days, s.writes > 0 ? s.experiments / static_cast<double>(s.writes) : 0.0);
    std::fflush(stdout);
    if (policy == Policy::engine) {
      // With no event in n, the rate is below 3.7/n at 97.5 % (Clopper-Pearson).
      const double n = static_cast<double>(s.decisions);
      if (s.harmful == 0) std::fprintf(stderr, "engine: 0 harmful writes in %ld decisions; 95 %% interval 0 to %.2g\n", s.decisions, 1 - std::pow(0.025, 1 / n));
      else std::fprintf(stderr, "engine: %ld harmful writes in %ld decisions\n", s.harmful, s.decisions);
    }
  }
}
