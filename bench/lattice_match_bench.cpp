// SPDX-License-Identifier: Apache-2.0
// Times LatticeMatcher on the shots of a file: lattice_match_bench MODEL.dem EVENTS.b8 DISTANCE ROUNDS x|z, then commands on its
// input (lattice_bench.hpp), for bench/peers/lattice_pymatching.py.
#include <spinel/io/graph.hpp>
#include <spinel/match/lattice_matcher.hpp>

#include <memory>

#include "lattice_bench.hpp"

namespace {

template <spinel::MemoryExperiment experiment>
int serve(const spinel::io::DetectorErrorModel& model, const std::string& bytes) {
  using Matcher = spinel::LatticeMatcher<experiment>;
  const auto matcher = std::make_unique<Matcher>();
  const auto edges = spinel::io::graph_edges(model)->edges;
  std::vector<std::byte> scratch(Matcher::scratch_bytes(edges.size()));
  const char* numbering = "own";
  double start = lattice_bench::processor_us();
  auto status = matcher->set_up(edges, scratch, spinel::DetectorNumbering::own);
  if (status == spinel::Status::unsupported) {
    start = lattice_bench::processor_us();
    numbering = "stim";
    status = matcher->set_up(edges, scratch, spinel::DetectorNumbering::stim);
  }
  if (status != spinel::Status::ok) {
    std::fprintf(stderr, "lattice_match_bench: set-up: %s\n", spinel::to_string(status));
    return 1;
  }
  const auto& t = matcher->tables();
  std::printf("ready numbering %s setup_ms %.1f tables_kib %zu sizeof_kib %zu near %zu windows %zu far %zu slots %zu nats_per_unit %.17g\n",
              numbering, (lattice_bench::processor_us() - start) / 1e3, matcher->table_bytes() / 1024, sizeof(Matcher) / 1024,
              t.n_near, t.n_windows, t.n_far, t.n_far_slots, matcher->nats_per_unit());
  std::fflush(stdout);
  return lattice_bench::serve(*matcher, bytes);
}

template <int distance, int rounds>
int serve_basis(const char* basis, const spinel::io::DetectorErrorModel& model, const std::string& bytes) {
  if (*basis == 'x') return serve<{.distance = distance, .rounds = rounds, .basis = spinel::Basis::X}>(model, bytes);
  return serve<{.distance = distance, .rounds = rounds, .basis = spinel::Basis::Z}>(model, bytes);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: lattice_match_bench MODEL.dem EVENTS.b8 DISTANCE ROUNDS x|z\n");
    return 2;
  }
  return lattice_bench::with_files(argv, [&](const auto& model, const auto& bytes) {
    const std::string size = std::string(argv[3]) + " " + argv[4];
    if (size == "5 5") return serve_basis<5, 5>(argv[5], model, bytes);
    if (size == "9 9") return serve_basis<9, 9>(argv[5], model, bytes);
    if (size == "13 13") return serve_basis<13, 13>(argv[5], model, bytes);
    if (size == "21 21") return serve_basis<21, 21>(argv[5], model, bytes);
    if (size == "31 31") return serve_basis<31, 31>(argv[5], model, bytes);
    if (size == "13 104") return serve_basis<13, 104>(argv[5], model, bytes);
    std::fprintf(stderr, "lattice_match_bench: built for 5x5, 9x9, 13x13, 21x21, 31x31 and 13x104, got %s\n", size.c_str());
    return 1;
  });
}
