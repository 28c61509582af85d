// SPDX-License-Identifier: Apache-2.0
// `spinel pool`: many logical qubits at once, each a stream of its own, on a fixed number of pinned threads.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "commands.hpp"
#include "decoder_pool.hpp"
#include "latency.hpp"
#include "stream_source.hpp"

namespace spinel::cli {
namespace {

struct PoolFlags {
  int distance = 5, qubits = 4, threads = 1, first_cpu = -1;
  double p = 0.003, cadence_us = 0;
  std::int64_t rounds = 100000;
};

template <int d>
void run_pool(const PoolFlags& flags) {
  using Decoder = StreamDecoder<StreamExperiment{d, d, d}>;
  using Pool = DecoderPool<Decoder>;
  const CircuitNoise noise(uniform_depolarizing(flags.p));
  constexpr std::uint64_t rounds_per_shot = 20 * d;
  const std::uint64_t shots = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(flags.rounds) / rounds_per_shot), pooled = std::min<std::uint64_t>(shots, 2000);
  struct Shots {
    std::vector<typename Decoder::Round> rounds;
    std::vector<typename Decoder::Data> data;
    std::vector<std::uint8_t> flipped;
  };
  // Every qubit sees the same pool of shots, from a place of its own on.
  Shots all;
  StreamSource<Decoder::experiment> source(noise, 1);
  for (std::uint64_t shot = 0; shot < pooled; ++shot) {
    source.begin(rounds_per_shot);
    for (std::uint64_t t = 0; t < rounds_per_shot; ++t) all.rounds.push_back(source.next());
    all.data.push_back(source.read_out());
    all.flipped.push_back(source.flipped());
  }
  Pool pool(flags.qubits, flags.threads, flags.first_cpu, [&](Decoder& decoder) {
    if (const Status status = set_up_window(decoder.window(), noise); status != Status::ok)
      throw CommandError(std::string("pool: the matcher cannot be set up: ") + to_string(status));
  });
  const auto n = static_cast<std::size_t>(flags.qubits);
  std::vector<std::uint64_t> answered(n, 0);
  std::vector<std::int64_t> sent_at(n, 0);
  std::uint64_t mistakes = 0, full = 0, open = n * shots;
  Histogram reaction;
  const auto shot_of = [&](std::size_t qubit, std::uint64_t shot) { return (shot + 37 * qubit) % pooled; };
  const auto poll = [&](int qubit) {
    const auto q = static_cast<std::size_t>(qubit);
    for (typename Pool::Output output; pool.poll(qubit, output);) {
      if (!output.closed) continue;
      reaction.add(now_ns() - sent_at[q]);
      mistakes += (output.result.flips & 1) != all.flipped[shot_of(q, answered[q])];
      ++answered[q];
      --open;
    }
  };
  // Where threads outnumber processors, waiting without giving way would only keep the answer from being made.
  const auto wait = [&](int qubit) {
    poll(qubit);
    std::this_thread::yield();
  };
  const std::int64_t start = now_ns();
  for (std::uint64_t shot = 0; shot < shots; ++shot)
    for (std::uint64_t t = 0; t <= rounds_per_shot; ++t) {
      if (flags.cadence_us > 0) {
        const auto due = start + static_cast<std::int64_t>(static_cast<double>(shot * (rounds_per_shot + 1) + t) * flags.cadence_us * 1e3);
        while (now_ns() < due)
          for (int qubit = 0; qubit < flags.qubits; ++qubit) poll(qubit);
      }
      for (int qubit = 0; qubit < flags.qubits; ++qubit) {
        const auto q = static_cast<std::size_t>(qubit);
        const std::uint64_t from = shot_of(q, shot);
        const auto push = [&] {
          return t < rounds_per_shot ? pool.push_round(qubit, t, all.rounds[from * rounds_per_shot + t]) : pool.finish(qubit, all.data[from]);
        };
        if (t == rounds_per_shot) {
          while (answered[q] < shot) wait(qubit);  // one open read-out a qubit, so that its time is known
          sent_at[q] = now_ns();
        }
        while (!push()) {
          ++full;
          wait(qubit);
        }
      }
    }
  while (open > 0)
    for (int qubit = 0; qubit < flags.qubits; ++qubit) wait(qubit);
  const double seconds = static_cast<double>(now_ns() - start) / 1e9;
  const double total = static_cast<double>(n * shots * rounds_per_shot);
  std::printf("d = %d, %d logical qubits on %d threads, %llu shots of %llu rounds each\n", d, flags.qubits, flags.threads,
              static_cast<unsigned long long>(shots), static_cast<unsigned long long>(rounds_per_shot));
  std::printf("%.3f us of wall clock a round and qubit, %.3g rounds a second in all; a ring was full %llu times\n", seconds * 1e6 / total,
              total / seconds, static_cast<unsigned long long>(full));
  std::printf("read-out to answer, through the rings (us): p50 %.3f p99 %.3f p99.9 %.3f max %.3f\n", static_cast<double>(reaction.quantile(0.5)) / 1e3,
              static_cast<double>(reaction.quantile(0.99)) / 1e3, static_cast<double>(reaction.quantile(0.999)) / 1e3,
              static_cast<double>(reaction.max()) / 1e3);
  std::printf("%llu mistakes, logical error rate %.3g a shot\n", static_cast<unsigned long long>(mistakes),
              static_cast<double>(mistakes) / static_cast<double>(n * shots));
}

void pool_command(const PoolFlags& flags) {
  if (flags.qubits < 1 || flags.qubits > 10000) throw CommandError("--qubits: got " + std::to_string(flags.qubits) + ", expected 1 to 10000");
  if (flags.threads < 1 || flags.threads > 1024) throw CommandError("--threads: got " + std::to_string(flags.threads) + ", expected 1 to 1024");
  if (flags.rounds < 1 || flags.rounds > 1'000'000'000'000)
    throw CommandError("--rounds: got " + std::to_string(flags.rounds) + ", expected 1 to 1000000000000");
  if (!(flags.p > 0 && flags.p < 0.1)) throw CommandError("--p: got " + std::to_string(flags.p) + ", expected above 0 and below 0.1");
  if (!(flags.cadence_us >= 0 && flags.cadence_us <= 1e6)) throw CommandError("--cadence-us: got " + std::to_string(flags.cadence_us) + ", expected 0 to 1000000");
  switch (flags.distance) {
    case 3: return run_pool<3>(flags);
    case 5: return run_pool<5>(flags);
    case 7: return run_pool<7>(flags);
    default: throw CommandError("--distance: the pool is built for 3, 5 and 7, got " + std::to_string(flags.distance));
  }
}

}  // namespace

void add_pool_command(CLI::App& app) {
  auto* command = app.add_subcommand("pool", "decode many logical qubits at once on pinned threads");
  const auto flags = std::make_shared<PoolFlags>();
  command->add_option("--distance", flags->distance, "code distance: 3, 5 or 7")->capture_default_str();
  command->add_option("--p", flags->p, "physical error rate, uniform depolarizing")->capture_default_str();
  command->add_option("--qubits", flags->qubits, "logical qubits")->capture_default_str();
  command->add_option("--threads", flags->threads, "decoding threads")->capture_default_str();
  command->add_option("--first-cpu", flags->first_cpu, "pin the threads to this processor and those after it");
  command->add_option("--rounds", flags->rounds, "rounds of every logical qubit")->capture_default_str();
  command->add_option("--cadence-us", flags->cadence_us, "a round arrives every so many microseconds; 0: as fast as they are taken")
      ->capture_default_str();
  command->callback([flags] { pool_command(*flags); });
}

}  // namespace spinel::cli
