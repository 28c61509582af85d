// SPDX-License-Identifier: Apache-2.0
// Times CorrelatedLatticeMatcher on the shots of a file: lattice_correlated_bench MODEL.dem EVENTS.b8 DISTANCE (rounds equal the
// distance, Stim's memory in X), then commands on its input (lattice_bench.hpp), for bench/peers/correlated_pymatching.py.
#include <spinel/io/graph.hpp>
#include <spinel/match/lattice_correlated.hpp>

#include <cstdlib>
#include <memory>

#include "lattice_bench.hpp"

namespace {

template <int distance>
int serve(const spinel::io::DetectorErrorModel& model, const std::string& bytes) {
  using Matcher = spinel::CorrelatedLatticeMatcher<{.distance = distance, .rounds = distance, .basis = spinel::Basis::X}>;
  const auto matcher = std::make_unique<Matcher>();
  const auto edges = *spinel::io::graph_edges(model);
  std::vector<std::byte> scratch(Matcher::scratch_bytes(edges.mechanism_of));
  const double start = lattice_bench::processor_us();
  const auto status = matcher->set_up(edges.edges, edges.mechanism_of, scratch, spinel::DetectorNumbering::stim);
  if (status != spinel::Status::ok) {
    std::fprintf(stderr, "lattice_correlated_bench: set-up: %s\n", spinel::to_string(status));
    return 1;
  }
  std::printf("ready setup_ms %.1f tables_kib %zu sizeof_kib %zu\n", (lattice_bench::processor_us() - start) / 1e3,
              matcher->table_bytes() / 1024, sizeof(Matcher) / 1024);
  std::fflush(stdout);
  return lattice_bench::serve(*matcher, bytes);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: lattice_correlated_bench MODEL.dem EVENTS.b8 DISTANCE\n");
    return 2;
  }
  return lattice_bench::with_files(argv, [&](const auto& model, const auto& bytes) {
    switch (std::atoi(argv[3])) {
      case 5: return serve<5>(model, bytes);
      case 7: return serve<7>(model, bytes);
      case 9: return serve<9>(model, bytes);
      case 11: return serve<11>(model, bytes);
      case 13: return serve<13>(model, bytes);
    }
    std::fprintf(stderr, "lattice_correlated_bench: built for distances 5, 7, 9, 11 and 13, got %s\n", argv[3]);
    return 1;
  });
}
