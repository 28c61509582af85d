// SPDX-License-Identifier: Apache-2.0
// Days on the simulated device, kept in order by the maintenance walk at several risks, and by calibrating everything every ten minutes.
// usage: example_calibration_maintenance [days] [seed]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <examples/calibration_maintenance.hpp>

int main(int argc, char** argv) {
  using spinel::example::Maintenance;
  const double days = argc > 1 ? std::atof(argv[1]) : 2;
  const auto seed = static_cast<std::uint64_t>(argc > 2 ? std::atoll(argv[2]) : 1);
  std::printf("| policy | checks | calibrations | failed walks | experiment time a day, min | usable share of time |\n|---|---|---|---|---|---|\n");
  for (const double risk : {-1.0, 0.0, 0.1, 0.2, 0.4}) {
    Maintenance station{seed};
    double usable = 0;
    int failed = 0;
    const double start = station.device.now_s(), end = start + 86400 * days;
    while (station.device.now_s() < end) {
      const double before = station.device.now_s();
      if (risk < 0) {
        for (std::size_t k = 0; k < 3; ++k) failed += station.calibrate(k) ? 0 : 1;
      } else {
        failed += station.maintain(risk) ? 0 : 1;
      }
      if (station.usable()) usable += station.device.now_s() - before;
      for (double rest = std::max(1.0, 600 - (station.device.now_s() - before)); rest > 0; rest -= 60) {
        station.device.wait(std::min(60.0, rest));
        usable += station.usable() ? std::min(60.0, rest) : 0;
      }
    }
    const double took = station.device.now_s() - start;
    const auto checks = std::count_if(station.log.begin(), station.log.end(), [](const std::string& entry) { return entry[1] == 'h'; });
    char name[64];
    std::snprintf(name, sizeof name, risk < 0 ? "calibrate all" : "walk at risk %.1f", risk);
    std::printf("| %s | %ld | %ld | %d | %.1f | %.1f %% |\n", name, static_cast<long>(checks), static_cast<long>(station.log.size()) - static_cast<long>(checks), failed, station.busy_s / 60 / (took / 86400), 100 * usable / took);
    std::fflush(stdout);
  }
}
