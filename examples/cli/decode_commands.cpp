// SPDX-License-Identifier: Apache-2.0
// `spinel predict` and `spinel count_mistakes`: shots in, predictions or their mistakes out, with the flags and defaults
// that users know from `pymatching`; with --weights, a pre-decoder network goes before the matching.
#include "experiment_flags.hpp"
#include "matching_engine.hpp"
#include "model_files.hpp"
#include "network_flags.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <spinel/decode/residual.hpp>
#include <spinel/decode/soft_edges.hpp>
#include <spinel/io/experiment.hpp>

namespace spinel::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct DecodeFlags {
  ExperimentFlags experiment;
  NetworkFlags network;
  EngineChoice engine;
  std::string dem, in = "-", in_format = "b8", out = "-", out_format = "01", obs_in, obs_in_format = "b8", weights_out,
              decision = "hard";
  bool appended_observables = false, time = false;
  GapChoice gap;
};

/// One line on standard error, redrawn in place; silent unless that is a terminal.
class Progress {
 public:
  explicit Progress(std::size_t total) : total_(total), shown_(isatty(STDERR_FILENO) == 1) {}
  ~Progress() {
    if (drawn_) std::fprintf(stderr, "\r\033[K");
  }
  void at(std::size_t done) {
    if (!shown_) return;
    const auto now = Clock::now();
    if (now - last_ < std::chrono::milliseconds(200)) return;
    last_ = now;
    drawn_ = true;
    constexpr std::size_t width = 40;
    const std::size_t filled = total_ == 0 ? width : width * done / total_;
    std::fprintf(stderr, "\r[%s%s] %zu / %zu shots", std::string(filled, '#').c_str(),
                 std::string(width - filled, '.').c_str(), done, total_);
  }

 private:
  std::size_t total_;
  bool shown_, drawn_ = false;
  Clock::time_point last_ = Clock::now();
};

struct Decoding {
  io::DetectorErrorModel model;
  Engine engine;
  io::ShotTable shots;
  std::vector<ObservableFlips> predictions;
  std::vector<double> weights;  // in nats, only if asked for, as the next
  std::vector<double> gaps;
  std::int64_t gap_limit = ClassCosts::infinite;
  double seconds = 0;           // spent decoding

  std::unique_ptr<PredecodeEngine> network;     // if any
  std::vector<std::uint64_t> events, residual;  // of the shot in hand, for the network

  MemoryExperiment experiment;  // of the network
  Decision decision = Decision::hard;
  std::vector<std::byte> soft_memory;
  SoftEdges soft;

  MatchResult decode(std::size_t shot) {
    if (!gaps.empty()) return decode_both(shot);
    if (!network) return engine.decode(shots.row(shot));
    std::memcpy(events.data(), shots.row(shot), (model.n_detectors + 7) / 8);
    std::function<void(int, const float*)> take_round;
    if (decision != Decision::hard) take_round = [this](int t, const float* logits) { soft.take_round(t, logits); };
    ObservableFlips frame = network->run(events, residual, take_round) ? 1 : 0;
    MatchResult result;
    if (decision == Decision::hard) {
      result = engine.decode(reinterpret_cast<const std::uint8_t*>(residual.data()));
    } else {
      if (decision == Decision::soft_raw) {
        residual = events;
        frame = 0;
      }
      keep_memory_basis(experiment, residual);
      ExactMatcher& matcher = *engine.exact();
      result = matcher.decode(reinterpret_cast<const std::uint8_t*>(residual.data()), soft.weights(matcher.graph(), decision));
    }
    result.observables ^= frame;
    return result;
  }
  MatchResult decode_both(std::size_t shot) {
    const ClassCosts costs = engine.decode_both(shots.row(shot), gap_limit);
    const double gap = costs.gap == ClassCosts::infinite ? std::numeric_limits<double>::infinity()
                                                         : static_cast<double>(costs.gap) * engine.nats_per_unit();
    gaps[shot] = costs.observable_flips ? -gap : gap;
    return costs.best;
  }
};

[[noreturn]] void refuse_shot(std::size_t shot) {
  throw CommandError("shot " + std::to_string(shot) +
                     " has no perfect matching: an odd number of its detection events lies in a part of the graph "
                     "without boundary");
}

/// The model of the file, or of the experiment and its noise where no file is given.
io::DetectorErrorModel model_of(const DecodeFlags& flags) {
  if (!flags.dem.empty()) return read_model(flags.dem);
  if (!flags.experiment.given())
    throw CommandError("give --dem FILE, or a memory experiment and its noise (--distance, --rounds, --p, ...)");
  return experiment_model(flags.experiment.experiment(), flags.experiment.noise());
}

/// Puts the network before the matching.
void add_network(const DecodeFlags& flags, Decoding& run) {
  if (!flags.experiment.given())
    throw CommandError("--weights needs the memory experiment of the shots: --distance, --rounds, --basis, --orientation");
  const MemoryExperiment experiment = flags.experiment.experiment();
  if (static_cast<std::size_t>(experiment.n_detectors()) != run.model.n_detectors || run.model.n_observables != 1)
    throw CommandError("--weights: the experiment has " + std::to_string(experiment.n_detectors()) +
                       " detectors and 1 observable, the model of --dem has " + std::to_string(run.model.n_detectors) + " and " +
                       std::to_string(run.model.n_observables));
  run.network = flags.network.engine(flags.network.load(), experiment,
                                     packed_shots(run.shots, run.model.n_detectors, flags.network.calibration_shots));
  run.events.resize((run.model.n_detectors + 63) / 64);
  run.residual.resize(run.events.size());
  run.experiment = experiment;
  if (flags.decision == "hard") return;
  if (run.engine.exact() == nullptr || flags.engine.correlated())
    throw CommandError("--decision " + flags.decision +
                       " gives every edge a weight of its own: it needs --engine general and no --enable_correlations");
  run.decision = flags.decision == "soft" ? Decision::soft_residual : Decision::soft_raw;
  static TensorLayout<MemoryExperiment::max_distance> layout;
  if (make_tensor_layout(experiment, flags.network.dual, layout) != Status::ok) throw CommandError("--weights: the experiment is refused");
  const MatchingGraph& graph = run.engine.exact()->graph();
  run.soft_memory.resize(SoftEdges::memory_needed(graph, layout));
  const auto soft = SoftEdges::create(graph, layout, run.soft_memory);
  if (!soft) throw CommandError(std::string("--decision soft: ") + to_string(soft.status));
  run.soft = *soft;
}

Decoding decode(const DecodeFlags& flags) {
  Decoding run;
  run.model = model_of(flags);
  EngineChoice choice = flags.engine;
  if (flags.decision != "hard") choice.general_because = "--decision " + flags.decision;
  // The lattice engine knows the gap of its one observable.
  if (flags.gap.wanted() && flags.gap.observable != 0) choice.general_because = flags.gap.out.empty() ? "--keep_gap" : "--gap_out";
  run.engine = Engine(run.model, choice, flags.dem.empty() ? "the experiment's model: " : flags.dem + ": ");
  const io::ShotLayout layout{0, run.model.n_detectors, flags.appended_observables ? run.model.n_observables : 0};
  run.shots = read_shots(flags.in, flags.in_format, "--in_format", layout);
  if (flags.decision != "hard" && !flags.network.given()) throw CommandError("--decision " + flags.decision + " needs --weights");
  if (flags.network.given()) add_network(flags, run);
  const std::size_t n = run.shots.n_shots;
  run.predictions.resize(n);
  if (!flags.weights_out.empty()) run.weights.resize(n);
  if (flags.gap.wanted()) {
    if (flags.network.given()) throw CommandError("gaps are of the matching alone: they go without --weights");
    if (flags.gap.observable >= run.model.n_observables)
      throw CommandError("--gap_observable: " + std::to_string(flags.gap.observable) + ", but " + flags.dem + " has " +
                         std::to_string(run.model.n_observables) + " observables, counted from 0");
    run.engine.prepare_gap(flags.gap.observable);
    if (flags.gap.limit > 0 && flags.gap.limit < flags.gap.keep)
      throw CommandError("--gap_limit: expected at least the nats of --keep_gap");
    const double limit = flags.gap.out.empty() ? flags.gap.keep : flags.gap.limit;
    if (limit > 0) run.gap_limit = static_cast<std::int64_t>(std::min(1e17, std::ceil(limit / run.engine.nats_per_unit())));
    run.gaps.resize(n);
  }
  Progress progress(n);
  const std::size_t batch = run.network ? 16 : 1024;
  for (std::size_t begin = 0; begin < n; begin += batch) {
    const std::size_t end = std::min(n, begin + batch);
    const auto start = Clock::now();
    for (std::size_t shot = begin; shot < end; ++shot) {
      const MatchResult result = run.decode(shot);
      if (result.outcome != MatchOutcome::matched) refuse_shot(shot);
      run.predictions[shot] = result.observables;
      if (!run.weights.empty()) run.weights[shot] = static_cast<double>(result.weight) * run.engine.nats_per_unit();
    }
    run.seconds += std::chrono::duration<double>(Clock::now() - start).count();
    progress.at(end);
  }
  return run;
}

void write_numbers(const std::string& path, const std::vector<double>& numbers) {
  if (path.empty()) return;
  std::string text;
  char line[40];
  for (const double number : numbers) {
    std::snprintf(line, sizeof line, "%.12g\n", number);
    text += line;
  }
  if (const auto written = io::write_file(path, text); !written) throw CommandError(written.error());
}

void write_per_shot(const DecodeFlags& flags, const Decoding& run) {
  write_numbers(flags.weights_out, run.weights);
  write_numbers(flags.gap.out, run.gaps);
}

/// Decodes every shot once more with a clock around each, and prints the mean of the first pass and these tails.
std::string timing_text(Decoding& run) {
  const std::size_t n = run.shots.n_shots;
  if (n == 0) return run.engine.about() + "0 us/shot\n";
  std::vector<double> us(n);
  for (std::size_t shot = 0; shot < n; ++shot) {
    const auto start = Clock::now();
    const MatchResult result = run.decode(shot);
    us[shot] = std::chrono::duration<double, std::micro>(Clock::now() - start).count();
    if (result.observables != run.predictions[shot]) throw CommandError("two decodings of one shot differ");
  }
  std::sort(us.begin(), us.end());
  const auto quantile = [&](double q) {
    return us[std::min(n - 1, static_cast<std::size_t>(q * static_cast<double>(n)))];
  };
  char text[200];
  std::snprintf(text, sizeof text, "%.4g us/shot\nsingle shot: p50 %.4g us, p99 %.4g us, p99.9 %.4g us, max %.4g us\n",
                1e6 * run.seconds / static_cast<double>(n), quantile(0.5), quantile(0.99), quantile(0.999), us.back());
  return run.engine.about() + text;
}

void predict(const DecodeFlags& flags) {
  const auto out_format = value_of(io::shot_format(flags.out_format), "--out_format: ");
  Decoding run = decode(flags);
  io::ShotTable table(run.model.n_observables, run.shots.n_shots);
  for (std::size_t shot = 0; shot < run.shots.n_shots; ++shot)
    for (std::size_t k = 0; k < run.model.n_observables; ++k)
      if (run.predictions[shot] >> k & 1) table.set(shot, k);
  const std::string text =
      value_of(io::format_shots(table, out_format, io::ShotLayout{0, 0, run.model.n_observables}), "--out_format: ");
  if (const auto written = io::write_file(flags.out, text); !written) throw CommandError(written.error());
  write_per_shot(flags, run);
  if (flags.time) std::fputs(timing_text(run).c_str(), stderr);
}

void count_mistakes(const DecodeFlags& flags) {
  if (flags.appended_observables == !flags.obs_in.empty())
    throw CommandError("the true observables are needed once: give either --in_includes_appended_observables or --obs_in");
  Decoding run = decode(flags);
  const std::size_t n_observables = run.model.n_observables;
  io::ShotTable truth;
  if (!flags.obs_in.empty()) {
    truth = read_shots(flags.obs_in, flags.obs_in_format, "--obs_in_format", io::ShotLayout{0, 0, n_observables});
    if (truth.n_shots != run.shots.n_shots)
      throw CommandError(flags.obs_in + ": has " + std::to_string(truth.n_shots) + " shots, expected the " +
                         std::to_string(run.shots.n_shots) + " of " + flags.in);
  }
  std::size_t mistakes = 0, n_kept = 0;
  for (std::size_t shot = 0; shot < run.shots.n_shots; ++shot) {
    if (flags.gap.keep > 0 && std::abs(run.gaps[shot]) < flags.gap.keep) continue;
    ++n_kept;
    ObservableFlips actual = 0;
    for (std::size_t k = 0; k < n_observables; ++k) {
      const bool bit = flags.obs_in.empty() ? run.shots.get(shot, run.model.n_detectors + k) : truth.get(shot, k);
      actual |= ObservableFlips{bit} << k;
    }
    mistakes += actual != run.predictions[shot];
  }
  std::string text = std::to_string(mistakes) + " / " + std::to_string(n_kept) + "\n";
  if (flags.gap.keep > 0)
    text += "kept " + std::to_string(n_kept) + " of " + std::to_string(run.shots.n_shots) + " shots\n";
  if (flags.time) text += timing_text(run);
  if (const auto written = io::write_file(flags.out, text); !written) throw CommandError(written.error());
  write_per_shot(flags, run);
}

void add_common_flags(CLI::App& command, DecodeFlags& flags) {
  command.add_option("--dem", flags.dem, "Detector error model (.dem); if not given, that of the memory experiment below");
  command.add_option("--in", flags.in, "Detection events, '-' for standard input")->capture_default_str();
  command.add_option("--in_format", flags.in_format, "01, b8, r8, hits, dets or ptb64")->capture_default_str();
  command.add_flag("--in_includes_appended_observables", flags.appended_observables,
                   "Every shot's observables follow its detection events");
  command.add_option("--out", flags.out, "Where the result goes, '-' for standard output")->capture_default_str();
  command.add_option("--weights_out", flags.weights_out, "Total weight of each shot's matching, in nats, one a line");
  add_engine_flags(command, flags.engine);
  add_gap_flags(command, flags.gap);
  command.add_flag("--time", flags.time, "Also print the time a shot takes, and its tails");
  flags.experiment.add_to(command, false);
  flags.network.add_to(command, false);
  command.add_option("--decision", flags.decision,
                     "How the matching hears of the network: thresholded corrections (hard), or its logits as edge weights (soft; "
                     "soft_raw matches the events as they came)")
      ->check(CLI::IsMember({"hard", "soft", "soft_raw"}))
      ->capture_default_str();
}

}  // namespace

void add_decode_commands(CLI::App& app) {
  static DecodeFlags predict_flags, mistakes_flags;
  auto* predict_command = app.add_subcommand("predict", "Predict observable flips from detection events by matching");
  add_common_flags(*predict_command, predict_flags);
  predict_command->add_option("--out_format", predict_flags.out_format, "Format of the predictions")->capture_default_str();
  predict_command->callback([] { predict(predict_flags); });

  auto* mistakes_command = app.add_subcommand("count_mistakes", "Count the shots whose observables are predicted wrongly");
  add_common_flags(*mistakes_command, mistakes_flags);
  mistakes_command->add_option("--obs_in", mistakes_flags.obs_in, "True observables");
  mistakes_command->add_option("--obs_in_format", mistakes_flags.obs_in_format, "Their format")->capture_default_str();
  mistakes_command
      ->add_option("--keep_gap", mistakes_flags.gap.keep,
                   "Count only shots whose gap is at least this many nats (post-selection)")
      ->check(CLI::NonNegativeNumber);
  mistakes_command->callback([] { count_mistakes(mistakes_flags); });
}

}  // namespace spinel::cli
