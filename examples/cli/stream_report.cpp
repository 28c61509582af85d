// SPDX-License-Identifier: Apache-2.0
#include "stream_report.hpp"
#include "wilson_interval.hpp"

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <fstream>
#include <spinel/core/config.hpp>

namespace spinel::cli {
namespace {

std::string printed(const char* format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return text;
}

std::string processor() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown";
}

std::string compiler() {
#if defined(__clang__)
  return "clang " __clang_version__;
#else
  return "gcc " __VERSION__;
#endif
}

nlohmann::ordered_json share(std::uint64_t k, std::uint64_t n) {
  const Interval interval = wilson_interval(static_cast<double>(k), static_cast<double>(n));
  return {{"share", static_cast<double>(k) / static_cast<double>(n)}, {"low", interval.low}, {"high", interval.high}};
}

/// Shots late or wrong, by deadline: for every window and for the reaction.
nlohmann::ordered_json by_deadline(const StreamRun& run) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  const double p50 = static_cast<double>(run.shot_latency.quantile(0.5));
  for (const double factor : {0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 100.0}) {
    const auto t = static_cast<std::uint64_t>(factor * p50);
    const std::uint64_t late = run.shot_latency.above(t);
    const std::uint64_t late_and_wrong = run.wrong_shot_latency[0].above(t);
    const std::uint64_t bad = late + run.mistakes - late_and_wrong;
    rows.push_back({{"deadline_us", static_cast<double>(t) / 1e3},
                    {"times_p50", factor},
                    {"late", late},
                    {"late_undisturbed", run.undisturbed_shot_latency.above(t)},
                    {"late_or_wrong", share(bad, run.shots)}});
  }
  return rows;
}

/// What the host did to the answers; null without a schedule, where nothing waits and so nothing can be told.
nlohmann::ordered_json disturbed(const StreamRun& run) {
  if (run.cadence_us <= 0) return nullptr;
  const Theft& theft = run.theft;
  const auto us = [](std::int64_t ns) { return static_cast<double>(ns) / 1e3; };
  return {{"windows", share(theft.disturbed_windows, run.window.n())},
          {"reactions", share(theft.disturbed_reactions, run.reaction.n())},
          {"after_gap", theft.after_gap},
          {"interrupted", theft.interrupted},
          {"slower_than_again", theft.slowed},
          {"behind_such", theft.behind},
          {"late", theft.late_disturbed},
          {"gaps", theft.gaps},
          {"longest_gap_us", us(theft.longest_gap_ns)},
          {"gaps_share_of_time", static_cast<double>(theft.gaps_sum_ns) / 1e9 / run.elapsed_seconds}};
}

/// `within`: a part of the same, drawn over it.
std::string svg(const Histogram& histogram, const Histogram& within, const char* title) {
  int first = Histogram::n_buckets, last = 0;
  std::uint64_t most = 1;
  for (int b = 0; b < Histogram::n_buckets; ++b)
    if (histogram.count(b) > 0) {
      first = std::min(first, b);
      last = b;
      most = std::max(most, histogram.count(b));
    }
  if (first > last) return "";
  const double width = 860, height = 220;
  const auto log_ns = [](int bucket) { return std::log10(static_cast<double>(Histogram::upper(bucket)) + 1); };
  const double low = std::floor(log_ns(first)), high = std::max(low + 1, std::ceil(log_ns(last)));
  const auto x = [&](double log10_ns) { return 50 + (log10_ns - low) / (high - low) * (width - 70); };
  const auto y = [&](double count) { return height - 30 - std::log10(count + 1) / std::log10(static_cast<double>(most) + 1) * (height - 60); };
  std::string out = printed("<h2>%s</h2>\n<svg viewBox=\"0 0 %g %g\" role=\"img\" aria-label=\"%s\">\n", title, width, height, title);
  for (double decade = low; decade <= high; ++decade) {
    const double us = std::pow(10.0, decade - 3);
    out += printed("<line x1=\"%.1f\" x2=\"%.1f\" y1=\"20\" y2=\"%g\" class=\"grid\"/><text x=\"%.1f\" y=\"%g\">%g us</text>\n", x(decade),
                   x(decade), height - 30, x(decade), height - 12, us);
  }
  for (int b = first; b <= last; ++b) {
    const double left = x(log_ns(std::max(0, b - 1))), right = x(log_ns(b));
    for (const Histogram* drawn : {&histogram, &within}) {
      if (drawn->count(b) == 0) continue;
      const double top = y(static_cast<double>(drawn->count(b)));
      out += printed("<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"%s/>\n", left, top, std::max(1.0, right - left),
                     height - 30 - top, drawn == &histogram && within.n() > 0 ? " class=\"all\"" : "");
    }
  }
  for (const double q : {0.5, 0.99, 0.9999}) {
    const double at = x(std::log10(static_cast<double>(histogram.quantile(q)) + 1));
    out += printed("<line x1=\"%.1f\" x2=\"%.1f\" y1=\"20\" y2=\"%g\" class=\"mark\"/><text x=\"%.1f\" y=\"14\">p%g</text>\n", at, at,
                   height - 30, at, 100 * q);
  }
  return out + "</svg>\n<p>Counts on a logarithmic scale, up to " + std::to_string(most) +
         (within.n() > 0 ? ". Light: answers that were disturbed by others on the processor.</p>\n" : ".</p>\n");
}

}  // namespace

nlohmann::ordered_json stream_report(const StreamRun& run, bool memory_locked) {
  const double rounds = static_cast<double>(run.rounds);
  const bool timed = run.cadence_us > 0;
  nlohmann::ordered_json parts = run.us_per_round_by_part, network;
  if (!run.network_shape.empty()) {
    // In rounds without a window the decoder has nothing but the network to do.
    const double us = run.network.mean() / 1e3;
    network = {{"shape", run.network_shape},
               {"precision", run.precision},
               {"weights_sha256", run.weights_fingerprint},
               {"round", run.network.json()},
               {"us_per_round", us},
               {"matcher_us_per_round", std::max(0.0, run.busy_seconds * 1e6 / rounds - us)}};
  }
  return {{"spinel", SPINEL_VERSION_STRING},
          {"processor", processor()},
          {"compiler", compiler()},
          {"experiment",
           {{"distance", run.experiment.distance},
            {"basis", run.experiment.basis == Basis::X ? "X" : "Z"},
            {"rounds_per_shot", run.experiment.rounds},
            {"shots", run.shots},
            {"rounds", run.rounds},
            {"cadence_us", run.cadence_us},
            {"seed", run.seed}}},
          {"engine", run.engine},
          {"network", network},
          {"reaction", run.reaction.json()},
          {"window", run.window.json()},
          {"service", run.service.json()},
          {"undisturbed", timed ? nlohmann::ordered_json{{"reaction", run.undisturbed_reaction.json()},
                                                         {"window", run.undisturbed_window.json()},
                                                         {"service", run.undisturbed_service.json()}}
                                : nlohmann::ordered_json()},
          {"disturbed", disturbed(run)},
          {"us_per_round", run.busy_seconds * 1e6 / rounds},
          {"us_per_round_by_part", parts},
          {"load", timed ? run.busy_seconds * 1e6 / (rounds * run.cadence_us) : 1.0},
          {"elapsed_s", run.elapsed_seconds},
          {"windows", run.windows},
          {"backlog_max_rounds", run.backlog_max},
          {"mistakes", run.mistakes},
          {"ler", share(run.mistakes, run.shots)},
          {"late_or_wrong", by_deadline(run)},
          {"deadline_us", run.deadline_us},
          {"late", run.late},
          {"answers_by",
           {{"correlated", run.answers_by[0]}, {"exact", run.answers_by[1]}, {"union-find", run.answers_by[2]}, {"local", run.answers_by[3]}}},
          {"unsettled_events", run.unsettled_events},
          {"unexplained_events", run.unexplained_events},
          {"allocations", run.allocations},
          {"page_faults", {{"minor", run.interference.minor_faults}, {"major", run.interference.major_faults}}},
          {"context_switches",
           {{"voluntary", run.interference.voluntary_switches}, {"involuntary", run.interference.involuntary_switches}}},
          {"resident_kib", {{"start", run.resident_start_kib}, {"end", run.resident_end_kib}}},
          {"memory_locked", memory_locked},
          {"decoder_bytes", run.decoder_bytes},
          {"table_bytes", run.table_bytes}};
}

std::string stream_table(const nlohmann::ordered_json& r) {
  const auto& e = r["experiment"];
  std::string out = printed("d = %d, %s basis, %llu shots of %d rounds, %s\n", e["distance"].get<int>(), e["basis"].get<std::string>().c_str(),
                            e["shots"].get<unsigned long long>(), e["rounds_per_shot"].get<int>(),
                            e["cadence_us"].get<double>() > 0 ? printed("one every %g us", e["cadence_us"].get<double>()).c_str()
                                                              : "as fast as they are decoded");
  out += "                     n       p50       p90       p99     p99.9    p99.99       max  (us)\n";
  const auto latencies = [&](const char* name, const nlohmann::ordered_json& h) {
    out += printed("%-13s %8llu", name, h["n"].get<unsigned long long>());
    for (const char* q : {"p50_us", "p90_us", "p99_us", "p99.9_us", "p99.99_us", "max_us"}) out += printed(" %9.3f", h[q].get<double>());
    out += '\n';
  };
  for (const char* name : {"reaction", "window", "service"}) {
    latencies(name, r[name]);
    if (!r["undisturbed"].is_null()) latencies("  undisturbed", r["undisturbed"][name]);
  }
  if (!r["network"].is_null()) latencies("network", r["network"]["round"]);
  if (const auto& d = r["disturbed"]; !d.is_null())
    out += printed(
        "disturbed: %.3g %% of windows, %.3g %% of reactions: %llu where the clock stood still before, %llu with a context switch or page fault,\n"
        "  %llu more than twice as slow as once more, %llu behind such; gaps between looks: %llu, %.3g %% of the time, the longest %.0f us\n",
        100 * d["windows"]["share"].get<double>(), 100 * d["reactions"]["share"].get<double>(), d["after_gap"].get<unsigned long long>(),
        d["interrupted"].get<unsigned long long>(), d["slower_than_again"].get<unsigned long long>(), d["behind_such"].get<unsigned long long>(),
        d["gaps"].get<unsigned long long>(), 100 * d["gaps_share_of_time"].get<double>(), d["longest_gap_us"].get<double>());
  out += printed("%.4f us a round in the decoder, backlog at most %llu rounds\n", r["us_per_round"].get<double>(),
                 r["backlog_max_rounds"].get<unsigned long long>());
  if (const auto& n = r["network"]; !n.is_null())
    out += printed("network %s %s: %.4f us a round, windows %.4f\n", n["shape"].get<std::string>().c_str(), n["precision"].get<std::string>().c_str(),
                   n["us_per_round"].get<double>(), n["matcher_us_per_round"].get<double>());
  out += printed("%llu mistakes, logical error rate %.3g a shot (%.3g to %.3g)\n", r["mistakes"].get<unsigned long long>(),
                 r["ler"]["share"].get<double>(), r["ler"]["low"].get<double>(), r["ler"]["high"].get<double>());
  out += "late or wrong by deadline:";
  for (const auto& row : r["late_or_wrong"])
    out += printed("  %.2f us: %.3g", row["deadline_us"].get<double>(), row["late_or_wrong"]["share"].get<double>());
  if (r["deadline_us"].get<double>() > 0)
    out += printed("\ndeadline %g us: %llu answers late%s, %llu correlated, %llu exact, %llu local", r["deadline_us"].get<double>(),
                   r["late"].get<unsigned long long>(),
                   r["disturbed"].is_null() ? "" : printed(" (%llu of them disturbed)", r["disturbed"]["late"].get<unsigned long long>()).c_str(),
                   r["answers_by"]["correlated"].get<unsigned long long>(), r["answers_by"]["exact"].get<unsigned long long>(),
                   r["answers_by"]["local"].get<unsigned long long>());
  out += printed("\nallocations %ld, page faults %ld minor %ld major, context switches %ld voluntary %ld involuntary\n",
                 r["allocations"].get<long>(), r["page_faults"]["minor"].get<long>(), r["page_faults"]["major"].get<long>(),
                 r["context_switches"]["voluntary"].get<long>(), r["context_switches"]["involuntary"].get<long>());
  return out;
}

std::string stream_page(const nlohmann::ordered_json& report, const StreamRun& run) {
  std::string out =
      "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>spinel stream</title>\n<style>\n"
      "body{font:15px/1.5 system-ui,sans-serif;max-width:900px;margin:2em auto;padding:0 1em;color:#222;background:#fff}\n"
      "pre{background:#f4f4f6;padding:1em;overflow-x:auto}svg{width:100%}svg rect{fill:#2a6f97}svg .all{fill:#bcd2df}\n"
      "svg text{font-size:11px;text-anchor:middle;fill:#444}.grid{stroke:#ddd}.mark{stroke:#c1121f;stroke-dasharray:3}\n"
      "</style>\n<h1>spinel stream</h1>\n<pre>";
  for (const char c : stream_table(report)) out += c == '<' ? std::string("&lt;") : c == '&' ? std::string("&amp;") : std::string(1, c);
  out += "</pre>\n" + svg(run.reaction, run.undisturbed_reaction, "Reaction: arrival of the last round to the answer") +
         svg(run.window, run.undisturbed_window, "Window: arrival of its last round to its committed flips") + "<h2>Everything</h2>\n<pre>";
  for (const char c : report.dump(2)) out += c == '<' ? std::string("&lt;") : c == '&' ? std::string("&amp;") : std::string(1, c);
  return out + "</pre>\n</html>\n";
}

}  // namespace spinel::cli
