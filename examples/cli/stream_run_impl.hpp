// SPDX-License-Identifier: Apache-2.0
// The loop behind stream_run.hpp, a template over the stream.
#pragma once

#include <algorithm>
#include <cstring>
#include <fstream>
#include <memory>
#include <type_traits>

#include "command_error.hpp"
#include "heap_count.hpp"
#include "stream_record.hpp"
#include "stream_run.hpp"
#include "stream_source.hpp"

namespace spinel::cli {

inline long resident_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (word == "VmRSS:") {
      long kib = 0;
      status >> kib;
      return kib;
    }
  return 0;
}

/// Shots that are drawn before the clock starts: as many as fit a few megabytes.
template <StreamExperiment stream>
struct ShotPool {
  using Source = StreamSource<stream>;
  std::vector<typename Source::Round> rounds;
  std::vector<typename Source::Data> data;
  std::vector<std::uint8_t> flipped;
  std::vector<std::uint32_t> recorded;  ///< answers of a record

  /// From the next shots of a record.
  void fill(RecordReader& record, std::size_t n_shots) {
    const RecordHeader& header = record.header();
    rounds.clear();
    data.clear();
    flipped.clear();
    recorded.clear();
    std::vector<std::uint8_t> bytes;
    for (std::size_t shot = 0; shot < n_shots && record.next(bytes); ++shot) {
      const std::uint8_t* at = bytes.data();
      for (int t = 0; t < header.rounds; ++t, at += header.round_bytes()) rounds.emplace_back().load_b8(at);
      data.emplace_back().load_b8(at);
      at += header.data_bytes();
      flipped.push_back(*at++ & 1);
      const std::size_t first = recorded.size();
      recorded.resize(first + header.answers());
      std::memcpy(&recorded[first], at, 4 * header.answers());
    }
  }
  void fill(Source& source, std::size_t n_shots, std::uint64_t rounds_per_shot) {
    rounds.clear();
    data.clear();
    flipped.clear();
    recorded.clear();
    for (std::size_t shot = 0; shot < n_shots; ++shot) {
      source.begin(rounds_per_shot);
      for (std::uint64_t t = 0; t < rounds_per_shot; ++t) rounds.push_back(source.next());
      data.push_back(source.read_out());
      flipped.push_back(source.flipped());
    }
  }
};

template <StreamExperiment stream>
RecordHeader record_header(const StreamRun& run) {
  RecordHeader header;
  header.distance = stream.distance;
  header.commit = stream.commit;
  header.buffer = stream.buffer;
  header.basis = stream.basis == Basis::X ? 0 : 1;
  header.rounds = run.experiment.rounds;
  for (int k = 0; k < NoiseParameters::n_parameters; ++k) header.noise[k] = run.noise.parameters[k];
  header.noise[25] = run.noise.simple_p;
  const auto model = io::experiment_model(LatticeWindow<stream>::model_experiment, run.noise);
  if (model) fingerprint_model(io::graph_edges(*model)->edges, header.model_fingerprint);
  fingerprint_weights(run.weights, run.precision, header.weights_fingerprint);
  return header;
}

/// A deadline that may be none, so that one loop serves both; the clock is read only where there is one.
template <class Clock>
struct RunDeadline {
  Clock* clock = nullptr;
  std::int64_t at = 0;
  bool exists = false;
  bool passed() const noexcept { return exists && clock->now_ns() >= at; }
};

/// What each answer of a shot takes that comes as fast as it is decoded.
template <class Decoder, class Round, class Data, class Clock>
void service_again(Decoder& decoder, const Round* rounds, std::uint64_t n_rounds, const Data& data, Clock& clock, std::vector<std::int64_t>& out) {
  decoder.reset();
  for (std::uint64_t t = 0; t < n_rounds; ++t) {
    const std::int64_t taken = clock.now_ns();
    if (decoder.push_round(t, rounds[t]).decoded) out.push_back(clock.now_ns() - taken);
  }
  const std::int64_t taken = clock.now_ns();
  (void)decoder.finish(data);
  out.push_back(clock.now_ns() - taken);
}

/// The timed answers of some shots, into the run's histograms.
inline void tell_answers(StreamRun& run, const std::vector<TimedAnswer>& answers, const std::vector<std::uint8_t>& wrong, std::int64_t deadline_ns) {
  const bool timed = run.cadence_us > 0;
  std::int64_t worst = 0;
  bool is_disturbed = false;
  std::size_t shot = 0;
  for (const TimedAnswer& answer : answers) {
    (answer.is_reaction ? run.reaction : run.window).add(answer.latency_ns);
    if (!answer.is_reaction) run.service.add(answer.service_ns);
    if (timed && !answer.disturbed) {
      (answer.is_reaction ? run.undisturbed_reaction : run.undisturbed_window).add(answer.latency_ns);
      if (!answer.is_reaction) run.undisturbed_service.add(answer.service_ns);
    }
    is_disturbed |= answer.disturbed;
    worst = std::max(worst, answer.latency_ns);
    run.late += deadline_ns > 0 && answer.latency_ns > deadline_ns;
    if (!answer.is_reaction) continue;
    run.shot_latency.add(worst);
    if (wrong[shot++] != 0) run.wrong_shot_latency[0].add(worst);
    if (timed && !is_disturbed) run.undisturbed_shot_latency.add(worst);
    worst = 0;
    is_disturbed = false;
  }
}

template <StreamExperiment stream, class Decoder, class Clock = HostClock>
void run_shots(StreamRun& run, Decoder& decoder, Clock&& clock = {}) {
  using Until = RunDeadline<std::remove_reference_t<Clock>>;
  StreamSource<stream> source(run.noise, run.seed);
  ShotPool<stream> pool;
  const auto rounds_per_shot = static_cast<std::uint64_t>(run.experiment.rounds);
  const std::uint64_t per_chunk =
      std::clamp<std::uint64_t>((std::uint64_t{1} << 20) / rounds_per_shot, 1, std::max<std::uint64_t>(run.shots, 1));
  pool.rounds.reserve(per_chunk * rounds_per_shot);
  pool.data.reserve(per_chunk);
  pool.flipped.reserve(per_chunk);
  const double cadence_ns = run.cadence_us * 1e3;
  const bool timed = run.cadence_us > 0, hurried = run.deadline_us > 0;
  const auto deadline_ns = static_cast<std::int64_t>(run.deadline_us * 1e3);
  RecordWriter record;
  const RecordHeader header = record_header<stream>(run);
  if (Decoder::has_predecoder) run.weights_fingerprint = fingerprint_text(header.weights_fingerprint);
  if (!run.record.empty()) record.open(run.record, header);
  std::unique_ptr<RecordReader> replayed;
  if (!run.replay.empty()) {
    replayed = std::make_unique<RecordReader>(run.replay);
    run.same_model = std::memcmp(replayed->header().model_fingerprint, header.model_fingerprint, 32) == 0;
    run.same_weights = std::memcmp(replayed->header().weights_fingerprint, header.weights_fingerprint, 32) == 0;
  }

  // Warm-up: caches, branch predictors and pages, on shots of another seed.
  Histogram network_rounds;
  {
    StreamSource<stream> warm(run.noise, ~run.seed);
    pool.fill(warm, std::max<std::uint64_t>(1, std::min(per_chunk, 200000 / rounds_per_shot)), rounds_per_shot);
    for (std::size_t shot = 0; shot < pool.data.size(); ++shot) {
      decoder.reset();
      for (std::uint64_t t = 0; t < rounds_per_shot; ++t) {
        const std::int64_t taken = Decoder::has_predecoder ? clock.now_ns() : 0;
        const bool decoded = decoder.push_round(t, pool.rounds[shot * rounds_per_shot + t], Until{}).decoded;
        if (Decoder::has_predecoder && !decoded) network_rounds.add(clock.now_ns() - taken);
      }
      (void)decoder.finish(pool.data[shot], Until{});
    }
  }
  const std::int64_t long_network_round_ns = 4 * static_cast<std::int64_t>(network_rounds.quantile(0.5)) + Theft::gap_ns;
  double part_busy = 0;
  std::uint64_t part_rounds = 0;
  std::vector<std::uint32_t> answers;
  // Written once: their pages are there before the clock starts.
  answers.resize(per_chunk * (rounds_per_shot / stream.commit + 2));
  std::vector<TimedAnswer> timed_answers(answers.size() + per_chunk);
  std::vector<std::uint8_t> wrong(per_chunk);
  TheftWatch watch(clock, run.theft);
  run.us_per_round_by_part.reserve(16);
  run.resident_start_kib = resident_kib();

  for (std::uint64_t done = 0; done < run.shots;) {
    const std::uint64_t n = std::min(per_chunk, run.shots - done);
    if (replayed != nullptr) pool.fill(*replayed, n);
    else pool.fill(source, n, rounds_per_shot);
    answers.clear();
    timed_answers.clear();
    wrong.clear();
    const Interference before = Interference::now();
    const long heap_before = heap_allocations();
    const std::int64_t start = clock.now_ns() + (timed ? 20000 : 0);
    std::uint64_t arrivals = 0;
    std::int64_t busy = 0, now = start;
    watch.begin(clock.now_ns());
    const std::int64_t processor_before = clock.processor_ns();
    for (std::uint64_t shot = 0; shot < n; ++shot) {
      decoder.reset();
      if (timed && Decoder::has_predecoder) watch.worked(clock.now_ns());  // whose state takes a while to clear
      std::uint64_t answered = 0;
      const auto* rounds = &pool.rounds[shot * rounds_per_shot];
      for (std::uint64_t t = 0; t < rounds_per_shot; ++t, ++arrivals) {
        const std::int64_t due = start + static_cast<std::int64_t>(static_cast<double>(arrivals) * cadence_ns);
        if (timed) {
          do watch.looked(now = clock.now_ns(), due);
          while (now < due);
          const auto backlog = static_cast<std::uint64_t>(static_cast<double>(now - due) / cadence_ns);
          run.backlog_max = std::max(run.backlog_max, backlog);
        }
        const bool last = t + 1 == rounds_per_shot;
        if (!timed && (last || Decoder::has_predecoder || decoder.next_push_decodes())) now = clock.now_ns();
        const std::int64_t taken = now, arrived = timed ? due : taken;
        const Until deadline{&clock, arrived + deadline_ns, hurried};
        const RoundReport report = decoder.push_round(t, rounds[t], deadline);
        if (!report.decoded && !last) {
          if (!Decoder::has_predecoder) continue;
          now = clock.now_ns();
          run.network.add(now - taken);
          busy += now - taken;
          if (now - taken > long_network_round_ns) watch.slowed_at_work();
          watch.worked(now);
          continue;
        }
        const auto answer = [&](bool is_reaction, std::int64_t at, std::int64_t since) {
          if (timed) timed_answers.push_back(watch.answered(is_reaction, at, arrived, since));
          else timed_answers.push_back({at - arrived, at - since, is_reaction, true, false, false});
        };
        if (report.decoded) {
          now = clock.now_ns();
          busy += now - taken;
          ++answered;
          answers.push_back(answer_entry(now - taken, decoder.observable_flips()));
          if (!last) answer(false, now, taken);
        }
        if (!last) continue;
        const std::int64_t before_finish = report.decoded ? now : taken;
        const StreamResult result = decoder.finish(pool.data[shot], deadline);
        now = clock.now_ns();
        busy += now - before_finish;
        // Nobody is asked anything between a last window's answer and the reaction.
        if (report.decoded) answer(false, before_finish, taken);
        answer(true, now, before_finish);
        // With a pre-decoder, windows that had to wait for it are decoded at the end.
        for (; answered <= decoder.counters().windows; ++answered) answers.push_back(answer_entry(now - before_finish, result.flips));
        wrong.push_back((result.flips & 1) != static_cast<unsigned>(pool.flipped[shot]));
        run.mistakes += wrong.back();
        run.windows += decoder.counters().windows + 1;
        run.unexplained_events += decoder.counters().unexplained_events;
        run.unsettled_events += decoder.counters().unsettled_events;
        for (std::size_t engine = 0; engine < 4; ++engine) run.answers_by[engine] += decoder.counters().answers_by[engine];
      }
    }
    const std::int64_t end = clock.now_ns();
    const std::int64_t processor_ns = clock.processor_ns() - processor_before;
    run.allocations += heap_allocations() - heap_before;
    run.interference.add_since(before);
    run.elapsed_seconds += static_cast<double>(end - start) / 1e9;
    // Without a schedule nothing but the decoder runs between the first round and the last.
    const double busy_ns = static_cast<double>(timed ? busy : end - start);
    run.busy_seconds += busy_ns / 1e9;
    part_busy += timed ? busy_ns : static_cast<double>(processor_ns);
    part_rounds += n * rounds_per_shot;
    run.rounds += n * rounds_per_shot;
    done += n;
    if (part_rounds * 10 >= run.shots * rounds_per_shot || done == run.shots) {
      if (part_rounds > 0) run.us_per_round_by_part.push_back(part_busy / 1e3 / static_cast<double>(part_rounds));
      part_busy = 0;
      part_rounds = 0;
    }
    if (timed)
      find_disturbed(timed_answers, run.theft, hurried ? deadline_ns : 0, [&](std::size_t shot, std::vector<std::int64_t>& out) {
        service_again(decoder, &pool.rounds[shot * rounds_per_shot], rounds_per_shot, pool.data[shot], clock, out);
      });
    tell_answers(run, timed_answers, wrong, hurried ? deadline_ns : 0);
    record.append(pool, answers);
    for (std::size_t k = 0; k < pool.recorded.size(); ++k) {
      run.recorded_service.add(std::int64_t{pool.recorded[k] >> 1} * 4);
      if ((k + 1) % header.answers() == 0) run.recorded_mistakes += (pool.recorded[k] & 1) != pool.flipped[k / header.answers()];
      if (((pool.recorded[k] ^ answers[k]) & 1) == 0) continue;
      if (run.differences++ == 0) {
        run.first_different_shot = done - n + k / header.answers();
        run.first_different_window = k % header.answers();
      }
    }
  }
  record.close();
  run.resident_end_kib = resident_kib();
}

template <StreamExperiment stream, class Decoder>
void set_up_lattice(StreamRun& run, Decoder& decoder) {
  if (const Status status = set_up_window(decoder.window(), run.noise); status != Status::ok)
    throw CommandError(status == Status::unsupported
                           ? std::string("the noise gives no matching weights: nothing ever happens, or something more often than not")
                           : std::string("stream: the matcher cannot be set up: ") + to_string(status));
  run.decoder_bytes = sizeof(Decoder);
  run.table_bytes = decoder.window().table_bytes();
}

template <StreamExperiment stream, class Window = LatticeWindow<stream>>
void run_lattice_stream(StreamRun& run) {
  const auto decoder = std::make_unique<StreamDecoder<stream, Window>>();
  set_up_lattice<stream>(run, *decoder);
  decoder->window().limit_gap(run.sure_nats);
  run_shots<stream>(run, *decoder);
}

template <Basis basis>
bool run_stream_in(StreamRun& run) {
  switch (run.experiment.distance) {
    case 3: run_lattice_stream<StreamExperiment{3, 3, 3, basis}>(run); return true;
    case 5: run_lattice_stream<StreamExperiment{5, 5, 5, basis}>(run); return true;
    case 7: run_lattice_stream<StreamExperiment{7, 7, 7, basis}>(run); return true;
    case 9: run_lattice_stream<StreamExperiment{9, 9, 9, basis}>(run); return true;
    case 13: run_lattice_stream<StreamExperiment{13, 13, 13, basis}>(run); return true;
    default: return false;
  }
}

}  // namespace spinel::cli
