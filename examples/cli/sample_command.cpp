// SPDX-License-Identifier: Apache-2.0
// `spinel sample`: shots of a detector error model, from a .dem file or from a memory experiment, written as they are drawn.
#include "experiment_flags.hpp"
#include "model_files.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <random>
#include <utility>
#include <spinel/io/experiment.hpp>
#include <spinel/io/mechanisms.hpp>
#include <spinel/noise/sampler.hpp>
#include <string>
#include <vector>

namespace spinel::cli {
namespace {

struct SampleFlags {
  ExperimentFlags experiment;
  std::string dem, out = "-", out_format = "01", obs_out, obs_out_format;
  std::uint64_t shots = 0, seed = 0;
  CLI::Option* seed_given = nullptr;
  bool append_observables = false;
};

io::DetectorErrorModel model_of(const SampleFlags& flags) {
  if (flags.dem.empty() != flags.experiment.given())
    throw CommandError("sample: give either --dem FILE or a memory experiment (--distance, --rounds, ...)");
  if (!flags.dem.empty())
    return read_model(flags.dem);
  const MemoryExperiment experiment = flags.experiment.experiment();
  CircuitNoise noise = flags.experiment.noise();
  noise.exact_channels = true;  // as the circuit has them, not as its detector error model approximates them
  if (static_cast<std::uint64_t>(experiment.n_detectors()) > io::DemLimits{}.detectors)
    throw CommandError("--rounds: the experiment has " + std::to_string(experiment.n_detectors()) +
                       " detectors, expected at most " + std::to_string(io::DemLimits{}.detectors));
  return experiment_model(experiment, noise);
}

/// One of the two outputs: shots become bytes of its format and go to its file, chunk after chunk.
class ShotWriter {
 public:
  ShotWriter(const std::string& path, io::ShotFormat format, io::ShotLayout layout)
      : file_(value_of(io::FileWriter::open(path), "")), format_(format), layout_(layout) {}
  void write(const io::ShotTable& table) {
    const std::string bytes = value_of(io::format_shots(table, format_, layout_), "");
    if (const auto written = file_.write(bytes); !written) throw CommandError(written.error());
  }
  void close() {
    if (const auto closed = file_.close(); !closed) throw CommandError(closed.error());
  }

 private:
  io::FileWriter file_;
  io::ShotFormat format_;
  io::ShotLayout layout_;
};

void append_bits(io::ShotTable& table, const io::ShotTable& first, const io::ShotTable& second) {
  for (std::size_t shot = 0; shot < table.n_shots; ++shot) {
    std::copy(first.row(shot), first.row(shot) + first.stride_bytes, table.row(shot));
    for (std::size_t k = 0; k < second.n_bits; ++k)
      if (second.get(shot, k)) table.set(shot, first.n_bits + k);
  }
}

void sample(const SampleFlags& flags) {
  const auto out_format = value_of(io::shot_format(flags.out_format), "--out_format: ");
  const auto obs_out_format =
      flags.obs_out_format.empty() ? out_format : value_of(io::shot_format(flags.obs_out_format), "--obs_out_format: ");
  const bool with_observables = !flags.obs_out.empty();
  if (flags.shots % 64 != 0 &&
      (out_format == io::ShotFormat::ptb64 || (with_observables && obs_out_format == io::ShotFormat::ptb64)))
    throw CommandError("--shots: ptb64 holds groups of 64 shots, expected a multiple of 64, got " +
                       std::to_string(flags.shots));
  if (flags.out == flags.obs_out) throw CommandError("--obs_out: expected another file than --out");

  const io::DetectorErrorModel model = model_of(flags);
  const auto mechanisms = io::joined_mechanisms(model);
  const auto memory_bytes = Sampler::memory_bytes(mechanisms.view());
  if (!memory_bytes) throw CommandError(std::string("cannot sample this model: ") + to_string(memory_bytes.status));
  std::vector<std::byte> memory(*memory_bytes);
  auto sampler = Sampler::make(mechanisms.view(), memory);
  if (!sampler) throw CommandError(std::string("cannot sample this model: ") + to_string(sampler.status));
  std::uint64_t seed = flags.seed;
  if (flags.seed_given->count() == 0) {
    std::random_device device;
    seed = (std::uint64_t{device()} << 32) | device();
  }

  const io::ShotLayout detectors_only{0, model.n_detectors, 0}, observables_only{0, 0, model.n_observables};
  const io::ShotLayout both{0, model.n_detectors, model.n_observables};
  ShotWriter out(flags.out, out_format, flags.append_observables ? both : detectors_only);
  std::vector<ShotWriter> obs_out;
  if (with_observables) obs_out.emplace_back(flags.obs_out, obs_out_format, observables_only);

  constexpr std::uint64_t batch_shots = Sampler::shots_per_batch;
  // A few megabytes of packed bits at a time, whole batches.
  const std::uint64_t batches_per_chunk =
      std::clamp<std::uint64_t>((std::uint64_t{4} << 20) / (batch_shots * (sampler->detector_bytes() + 1)), 1, 256);
  const bool shown = isatty(STDERR_FILENO) == 1;
  for (std::uint64_t begin = 0; begin < flags.shots; begin += batches_per_chunk * batch_shots) {
    const std::uint64_t n = std::min(flags.shots - begin, batches_per_chunk * batch_shots);
    io::ShotTable detectors(model.n_detectors, n), observables(model.n_observables, n);
    for (std::uint64_t shot = 0; shot < n; shot += batch_shots)
      sampler->sample(seed, (begin + shot) / batch_shots, std::min(batch_shots, n - shot), detectors.row(shot),
                      detectors.stride_bytes, observables.row(shot), observables.stride_bytes);
    if (flags.append_observables) {
      io::ShotTable joined(both.n_bits(), n);
      append_bits(joined, detectors, observables);
      out.write(joined);
    } else {
      out.write(detectors);
    }
    if (with_observables) obs_out[0].write(observables);
    if (shown && flags.shots > 100000)
      std::fprintf(stderr, "\r%llu / %llu shots", static_cast<unsigned long long>(begin + n),
                   static_cast<unsigned long long>(flags.shots));
  }
  if (shown && flags.shots > 100000) std::fprintf(stderr, "\r\033[K");
  out.close();
  if (with_observables) obs_out[0].close();
}

}  // namespace

void add_sample_command(CLI::App& app) {
  auto* command = app.add_subcommand("sample", "draw shots of a detector error model or of a memory experiment");
  const auto flags = std::make_shared<SampleFlags>();
  const char* formats = "01, b8, r8, hits, dets or ptb64";
  command->add_option("--dem", flags->dem, "detector error model in Stim's .dem language ('-': standard input)");
  flags->experiment.add_to(*command, false);
  command->add_option("--shots", flags->shots, "number of shots")->required();
  flags->seed_given = command->add_option(
      "--seed", flags->seed, "same seed, same model: same shots on every machine, more shots begin with the same ones");
  command->add_option("--out", flags->out, "where the detection events go ('-': standard output)")
      ->capture_default_str();
  command->add_option("--out_format", flags->out_format, formats)->capture_default_str();
  command->add_option("--obs_out", flags->obs_out, "where the observables go");
  command->add_option("--obs_out_format", flags->obs_out_format, "the same choice; that of --out_format unless given");
  command->add_flag("--append_observables", flags->append_observables, "write the observables after the detection events");
  command->callback([flags] { sample(*flags); });
}

}  // namespace spinel::cli
