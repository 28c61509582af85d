// SPDX-License-Identifier: Apache-2.0
// `spinel predict` and `spinel count_mistakes`: shots in, predictions or their mistakes out, with the flags and defaults
// that users know from `pymatching`.
#include "commands.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include <spinel/io/dem.hpp>
#include <spinel/io/file.hpp>
#include <spinel/io/graph.hpp>
#include <spinel/io/shots.hpp>

#include "lattice_engine.hpp"

namespace spinel::cli {
namespace {

using Clock = std::chrono::steady_clock;

template <class T>
T value_of(io::Expected<T>&& expected, const std::string& where) {
  if (!expected) throw CommandError(where + expected.error());
  return std::move(*expected);
}

struct DecodeFlags {
  std::string dem, in = "-", in_format = "b8", out = "-", out_format = "01", obs_in, obs_in_format = "b8", weights_out, engine = "auto";
  bool appended_observables = false, time = false, enable_correlations = false;
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
  std::unique_ptr<LatticeEngine> lattice;  // one of the three is set up
  io::DemMatcher plain;
  io::OwnedMatcher<CorrelatedMatcher> correlated;
  bool is_correlated = false;
  std::string engine;  // which one, and why
  io::ShotTable shots;
  std::vector<ObservableFlips> predictions;
  std::vector<double> weights;  // in nats, only if asked for
  double seconds = 0;           // spent decoding

  MatchResult decode(std::size_t shot) {
    if (lattice) return lattice->decode(shots.row(shot));
    return is_correlated ? correlated.matcher.decode(shots.row(shot)) : plain.matcher.decode(shots.row(shot));
  }
  double nats_per_unit() const {
    if (lattice) return lattice->nats_per_unit();
    return is_correlated ? correlated.matcher.nats_per_unit() : plain.matcher.nats_per_unit();
  }
};

[[noreturn]] void refuse_shot(std::size_t shot) {
  throw CommandError("shot " + std::to_string(shot) +
                     " has no perfect matching: an odd number of its detection events lies in a part of the graph "
                     "without boundary");
}

/// Sets up the engine that the flags ask for, the fastest that fits where they leave it open, and says which it is.
void choose_engine(const DecodeFlags& flags, Decoding& run) {
  run.is_correlated = flags.enable_correlations;
  std::string about = "asked for by --engine";
  if (flags.engine != "general") {
    const auto edges = value_of(io::graph_edges(run.model), flags.dem + ": ");
    run.lattice = find_lattice_engine(edges.edges, edges.mechanism_of, run.model.n_detectors, run.model.n_observables,
                                      run.is_correlated, about);
  }
  if (!run.lattice && flags.engine == "lattice") throw CommandError("--engine lattice: " + flags.dem + ": " + about);
  run.engine = std::string("engine: ") + (run.lattice ? "lattice" : "general") + (run.is_correlated ? ", correlated (" : " (") + about + ")\n";
  std::fputs(run.engine.c_str(), stderr);
  if (run.lattice) return;
  if (run.is_correlated) run.correlated = value_of(io::make_correlated_matcher(run.model), flags.dem + ": ");
  else run.plain = value_of(io::make_matcher(run.model), flags.dem + ": ");
}

Decoding decode(const DecodeFlags& flags) {
  Decoding run;
  run.model = value_of(io::parse_dem(value_of(io::read_file(flags.dem), "")), flags.dem + ": ");
  choose_engine(flags, run);
  const io::ShotLayout layout{0, run.model.n_detectors, flags.appended_observables ? run.model.n_observables : 0};
  run.shots = value_of(io::parse_shots(value_of(io::read_file(flags.in), ""),
                                       value_of(io::shot_format(flags.in_format), "--in_format: "), layout),
                       flags.in + ": ");
  const std::size_t n = run.shots.n_shots;
  run.predictions.resize(n);
  if (!flags.weights_out.empty()) run.weights.resize(n);
  Progress progress(n);
  constexpr std::size_t batch = 1024;
  for (std::size_t begin = 0; begin < n; begin += batch) {
    const std::size_t end = std::min(n, begin + batch);
    const auto start = Clock::now();
    for (std::size_t shot = begin; shot < end; ++shot) {
      const MatchResult result = run.decode(shot);
      if (result.outcome != MatchOutcome::matched) refuse_shot(shot);
      run.predictions[shot] = result.observables;
      if (!run.weights.empty()) run.weights[shot] = static_cast<double>(result.weight) * run.nats_per_unit();
    }
    run.seconds += std::chrono::duration<double>(Clock::now() - start).count();
    progress.at(end);
  }
  return run;
}

void write_weights(const DecodeFlags& flags, const Decoding& run) {
  if (flags.weights_out.empty()) return;
  std::string text;
  char line[40];
  for (const double weight : run.weights) {
    std::snprintf(line, sizeof line, "%.12g\n", weight);
    text += line;
  }
  if (const auto written = io::write_file(flags.weights_out, text); !written) throw CommandError(written.error());
}

/// Decodes every shot once more with a clock around each, and prints the mean of the first pass and these tails.
std::string timing_text(Decoding& run) {
  const std::size_t n = run.shots.n_shots;
  if (n == 0) return run.engine + "0 us/shot\n";
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
  return run.engine + text;
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
  write_weights(flags, run);
  if (flags.time) std::fputs(timing_text(run).c_str(), stderr);
}

void count_mistakes(const DecodeFlags& flags) {
  if (flags.appended_observables == !flags.obs_in.empty())
    throw CommandError("the true observables are needed once: give either --in_includes_appended_observables or --obs_in");
  Decoding run = decode(flags);
  const std::size_t n_observables = run.model.n_observables;
  io::ShotTable truth;
  if (!flags.obs_in.empty()) {
    truth = value_of(io::parse_shots(value_of(io::read_file(flags.obs_in), ""),
                                     value_of(io::shot_format(flags.obs_in_format), "--obs_in_format: "),
                                     io::ShotLayout{0, 0, n_observables}),
                     flags.obs_in + ": ");
    if (truth.n_shots != run.shots.n_shots)
      throw CommandError(flags.obs_in + ": has " + std::to_string(truth.n_shots) + " shots, expected the " +
                         std::to_string(run.shots.n_shots) + " of " + flags.in);
  }
  std::size_t mistakes = 0;
  for (std::size_t shot = 0; shot < run.shots.n_shots; ++shot) {
    ObservableFlips actual = 0;
    for (std::size_t k = 0; k < n_observables; ++k) {
      const bool bit = flags.obs_in.empty() ? run.shots.get(shot, run.model.n_detectors + k) : truth.get(shot, k);
      actual |= ObservableFlips{bit} << k;
    }
    mistakes += actual != run.predictions[shot];
  }
  std::string text = std::to_string(mistakes) + " / " + std::to_string(run.shots.n_shots) + "\n";
  if (flags.time) text += timing_text(run);
  if (const auto written = io::write_file(flags.out, text); !written) throw CommandError(written.error());
  write_weights(flags, run);
}

void add_common_flags(CLI::App& command, DecodeFlags& flags) {
  command.add_option("--dem", flags.dem, "Detector error model (.dem)")->required();
  command.add_option("--in", flags.in, "Detection events, '-' for standard input")->capture_default_str();
  command.add_option("--in_format", flags.in_format, "01, b8, r8, hits, dets or ptb64")->capture_default_str();
  command.add_flag("--in_includes_appended_observables", flags.appended_observables,
                   "Every shot's observables follow its detection events");
  command.add_option("--out", flags.out, "Where the result goes, '-' for standard output")->capture_default_str();
  command.add_option("--weights_out", flags.weights_out, "Total weight of each shot's matching, in nats, one a line");
  command.add_option("--engine", flags.engine,
                     "lattice: compiled for memory experiments of one distance; general: any graph; auto: lattice where the "
                     "model is a known experiment, which is said on standard error")
      ->check(CLI::IsMember({"auto", "lattice", "general"}))
      ->capture_default_str();
  command.add_flag("--enable_correlations", flags.enable_correlations,
                   "Match twice, the second time knowing which errors come together (weights are then conditional)");
  command.add_flag("--time", flags.time, "Also print the time a shot takes, and its tails");
}

}  // namespace

void add_decode_commands(CLI::App& app) {
  static DecodeFlags predict_flags, mistakes_flags;
  auto* predict_command = app.add_subcommand("predict", "Predict observable flips from detection events by exact matching");
  add_common_flags(*predict_command, predict_flags);
  predict_command->add_option("--out_format", predict_flags.out_format, "Format of the predictions")->capture_default_str();
  predict_command->callback([] { predict(predict_flags); });

  auto* mistakes_command = app.add_subcommand("count_mistakes", "Count the shots whose observables are predicted wrongly");
  add_common_flags(*mistakes_command, mistakes_flags);
  mistakes_command->add_option("--obs_in", mistakes_flags.obs_in, "True observables");
  mistakes_command->add_option("--obs_in_format", mistakes_flags.obs_in_format, "Their format")->capture_default_str();
  mistakes_command->callback([] { count_mistakes(mistakes_flags); });
}

}  // namespace spinel::cli
