// SPDX-License-Identifier: Apache-2.0
// What the benchmarks of streams share: one program serves distances 5, 7 and 9, compiled for each.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace stream_bench {

/// `run.template operator()<distance>()` for the distance in `arguments[1]`; the exit status.
template <class Run>
int at_distance(char** arguments, Run&& run) {
  switch (std::atoi(arguments[1])) {
    case 5: return run.template operator()<5>();
    case 7: return run.template operator()<7>();
    case 9: return run.template operator()<9>();
    default: std::fprintf(stderr, "%s: built for distances 5, 7 and 9, got %s\n", arguments[0], arguments[1]); return 2;
  }
}

/// The same for programs that take DISTANCE P SHOTS: `run.template operator()<distance>(p, shots)`.
template <class Run>
int with_arguments(int n_arguments, char** arguments, Run&& run) {
  const double p = n_arguments > 2 ? std::atof(arguments[2]) : 0;
  const int shots = n_arguments > 3 ? std::atoi(arguments[3]) : 0;
  if (!(p > 0 && p < 0.1) || shots < 1) {
    std::fprintf(stderr, "usage: %s DISTANCE P SHOTS\n", arguments[0]);
    return 2;
  }
  return at_distance(arguments, [&]<int distance>() { return run.template operator()<distance>(p, shots); });
}

}  // namespace stream_bench
