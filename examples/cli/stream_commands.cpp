// SPDX-License-Identifier: Apache-2.0
// `spinel stream`: experiments arrive round by round on a schedule, are decoded in windows, and the tails are told: a table, JSON, and
// a one-page report with the histogram.
#include <sched.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <spinel/core/config.hpp>
#include <string>

#include "experiment_flags.hpp"
#include "network_flags.hpp"
#include "report_file.hpp"
#include "stream_report.hpp"
#include "stream_run.hpp"

namespace spinel::cli {
namespace {

struct StreamFlags {
  ExperimentFlags experiment;
  std::int64_t total_rounds = 0;
  std::uint64_t seed = 1;
  int shot_rounds = 0, cpu = -1;
  double cadence_us = 1, deadline_us = 0, sure_nats = 0;
  bool correlated = false, fifo = false;
  std::string json, html, record;
  NetworkFlags network;
};

void stream_command(const StreamFlags& flags) {
  StreamRun run;
  ExperimentFlags named = flags.experiment;
  constexpr int most_shot_rounds = 10'000'000;  // a shot is drawn whole
  if (flags.shot_rounds != 0 && (flags.shot_rounds < 3 || flags.shot_rounds > most_shot_rounds))
    throw CommandError("--shot-rounds: got " + std::to_string(flags.shot_rounds) + ", expected 3 to " + std::to_string(most_shot_rounds));
  if (flags.total_rounds < 1 || flags.total_rounds > 1'000'000'000'000)
    throw CommandError("--rounds: got " + std::to_string(flags.total_rounds) + ", expected 1 to 1000000000000");
  named.rounds = flags.shot_rounds != 0 ? flags.shot_rounds : 20 * named.distance;
  run.experiment = named.experiment();
  run.noise = named.noise();
  if (run.experiment.orientation != Orientation::O1)
    throw CommandError("--orientation: streams of this program are built for O1 only");
  if (!(flags.cadence_us >= 0 && flags.cadence_us <= 1e6))
    throw CommandError("--cadence-us: got " + std::to_string(flags.cadence_us) + ", expected 0 to 1000000");
  const auto per_shot = static_cast<std::uint64_t>(run.experiment.rounds);
  run.shots = std::max<std::uint64_t>(1, (static_cast<std::uint64_t>(flags.total_rounds) + per_shot - 1) / per_shot);
  run.cadence_us = flags.cadence_us;
  run.seed = flags.seed;
  run.record = flags.record;
  run.deadline_us = flags.deadline_us;
  if (flags.correlated) run.engine = "correlated";
  run.sure_nats = flags.sure_nats;
  if (!(flags.sure_nats >= 0 && flags.sure_nats <= 1000))
    throw CommandError("--sure-nats: got " + std::to_string(flags.sure_nats) + ", expected 0 (always a second pass) to 1000");
  if (flags.sure_nats > 0 && (!flags.correlated || !flags.record.empty()))
    throw CommandError("--sure-nats: goes with --correlated only, and a record does not keep it: leave out --record");
  if (!(flags.deadline_us >= 0 && flags.deadline_us <= 1e9))
    throw CommandError("--deadline-us: got " + std::to_string(flags.deadline_us) + ", expected 0 (none) to 1000000000");
  if (flags.network.given() && flags.correlated) throw CommandError("--weights: streams with a network are matched exactly; leave out --correlated");
  if (!flags.network.given() && flags.network.precision != "fp32") throw CommandError("--precision: goes with --weights only");
  ReportFile json(flags.json), html(flags.html);
  const auto blob = flags.network.given() ? std::make_unique<AlignedBlob>(flags.network.load()) : nullptr;
  if (blob != nullptr) run.weights = blob->span();
  run.precision = flags.network.precision;
  if (flags.cpu != -1) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<unsigned>(flags.cpu), &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) throw CommandError("--cpu " + std::to_string(flags.cpu) + ": cannot pin to this processor");
  }
  if (flags.fifo) {
    sched_param parameters{};
    parameters.sched_priority = 50;
    if (sched_setscheduler(0, SCHED_FIFO, &parameters) != 0)
      throw CommandError("--fifo: the system refuses real-time scheduling (see `spinel doctor`)");
  }
  const bool locked = mlockall(MCL_CURRENT | MCL_FUTURE) == 0;
  if (!run_stream(run))
    throw CommandError("--distance: this program decodes streams at 3, 5, 7, 9 and 13, with a network at 5, 7 and 9, got " + std::to_string(named.distance));
  if (flags.fifo) {
    sched_param normal{};
    sched_setscheduler(0, SCHED_OTHER, &normal);
  }
  nlohmann::ordered_json report = stream_report(run, locked);
  report["scheduler"] = flags.fifo ? "SCHED_FIFO" : "SCHED_OTHER";
  if (flags.json != "-" && flags.html != "-") std::fputs(stream_table(report).c_str(), stdout);
  json.write(report.dump(2) + "\n");
  html.write(stream_page(report, run));
}

bool run_stream_network(StreamRun& run) {
  switch (run.experiment.distance) {
    case 5: run_stream_network_5(run); return true;
    case 7: run_stream_network_7(run); return true;
    case 9: run_stream_network_9(run); return true;
    default: return false;
  }
}

}  // namespace

bool run_stream(StreamRun& run) {
  if (!run.weights.empty()) return run_stream_network(run);
  if (run.engine == "correlated") return run_stream_correlated(run);
  return run.experiment.basis == Basis::X ? run_stream_x(run) : run_stream_z(run);
}

void add_stream_command(CLI::App& app) {
  auto* command = app.add_subcommand("stream", "decode a stream of rounds in real time and report latencies with their tails");
  const auto flags = std::make_shared<StreamFlags>();
  command->add_option("--distance", flags->experiment.distance, "code distance: 3, 5, 7, 9 or 13")->required();
  command->add_option("--rounds", flags->total_rounds, "rounds in all, made full to whole shots")->required();
  command->add_option("--shot-rounds", flags->shot_rounds, "rounds of one experiment, until its data qubits are read out (20 x distance)");
  command->add_option("--basis", flags->experiment.basis, "memory basis")->check(CLI::IsMember({"X", "Z"}))->capture_default_str();
  command->add_option("--p", flags->experiment.p, "physical error rate of the named noise");
  command->add_option("--noise", flags->experiment.noise_file, "JSON file with the 25 noise parameters (instead of --p)");
  command->add_option("--noise-model", flags->experiment.noise_name, "what --p means: uniform, si1000 or simple")
      ->check(CLI::IsMember({"uniform", "si1000", "simple"}))
      ->capture_default_str();
  command->add_option("--cadence-us", flags->cadence_us, "a round arrives every so many microseconds; 0: as fast as they are decoded")
      ->capture_default_str();
  flags->network.add_weights_to(*command);
  command->add_option("--precision", flags->network.precision, "arithmetic of the network; int8 is calibrated on shots of the same noise")
      ->check(CLI::IsMember({"fp32", "int8"}))
      ->capture_default_str();
  command->add_flag("--correlated", flags->correlated, "two-pass correlated matching");
  command->add_option("--sure-nats", flags->sure_nats, "no second pass where the first one's gap is known to be at least this; 0: always one");
  command->add_option("--deadline-us", flags->deadline_us,
                      "time from a window's last round to its answer: what is not matched by then goes to the boundary");
  command->add_option("--seed", flags->seed, "same seed, same shots")->capture_default_str();
  command->add_flag("--fifo", flags->fifo, "real-time scheduling: nothing of normal priority runs on this processor meanwhile");
  command->add_option("--cpu", flags->cpu, "pin to this processor");
  command->add_option("--json", flags->json, "where the report goes as JSON ('-': standard output, and nothing else there)");
  command->add_option("--html", flags->html, "where the report goes as a page with its histogram");
  command->add_option("--record", flags->record, "file that takes every round, answer and latency, for `spinel replay`");
  command->callback([flags] { stream_command(*flags); });
}

}  // namespace spinel::cli
