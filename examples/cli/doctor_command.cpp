// SPDX-License-Identifier: Apache-2.0
// `spinel doctor`: what of this host would spoil real time. Reads the kernel's own files, then measures: how late a sleeping thread
// wakes (as cyclictest does) and how long a spinning one is kept from running.
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <utility>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "commands.hpp"
#include "latency.hpp"
#include "report_file.hpp"

namespace spinel::cli {
namespace {

using nlohmann::ordered_json;

/// First line of a file, empty where there is none.
std::string line_of(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  while (!line.empty() && (line.back() == ' ' || line.back() == '\n')) line.pop_back();
  return line;
}
std::string status_line(const std::string& key) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(key + ":")) return line.substr(line.find_first_not_of(" \t", key.size() + 1));
  return "";
}

struct Examination {
  ordered_json findings = ordered_json::array();
  int n_bad = 0;
  /// `good`: does not spoil real time. `advice` says what to do otherwise.
  void add(const std::string& what, const std::string& found, bool good, const std::string& advice) {
    findings.push_back({{"what", what}, {"found", found}, {"good", good}, {"advice", good ? "" : advice}});
    n_bad += !good;
  }
};

void examine(Examination& e, int cpu) {
  const std::string cpu_path = "/sys/devices/system/cpu/cpu" + std::to_string(cpu);
  const std::string governor = line_of(cpu_path + "/cpufreq/scaling_governor");
  e.add("frequency governor", governor.empty() ? "not visible (virtual machine or fixed frequency)" : governor,
        governor.empty() || governor == "performance", "cpupower frequency-set -g performance");
  const std::string isolated = line_of("/sys/devices/system/cpu/isolated");
  e.add("isolated processors", isolated.empty() ? "none" : isolated, !isolated.empty(),
        "boot with isolcpus=domain,managed_irq,N nohz_full=N rcu_nocbs=N irqaffinity=0 and run on N");
  const std::string ticks = line_of("/sys/devices/system/cpu/nohz_full");
  const bool tickless = !ticks.empty() && ticks != "(null)";
  e.add("tickless processors", tickless ? ticks : "none", tickless, "boot with nohz_full=N");
  const std::string siblings = line_of(cpu_path + "/topology/thread_siblings_list");
  const bool alone = siblings.find_first_of(",-") == std::string::npos;
  e.add("hardware threads of this core", siblings.empty() ? "not visible" : siblings, alone,
        "switch the sibling off: echo off > /sys/devices/system/cpu/smt/control");
  const std::string latency_file = "/dev/cpu_dma_latency";
  int deepest = -1;
  std::string deepest_name;
  for (int state = 0; state < 16; ++state) {
    const std::string path = cpu_path + "/cpuidle/state" + std::to_string(state);
    const std::string latency = line_of(path + "/latency"), off = line_of(path + "/disable");
    if (latency.empty()) break;
    if (off == "0" && std::atoi(latency.c_str()) > deepest) {
      deepest = std::atoi(latency.c_str());
      deepest_name = line_of(path + "/name");
    }
  }
  e.add("deepest idle state", deepest < 0 ? "not visible (the host decides)" : deepest_name + ", " + std::to_string(deepest) + " us to wake",
        deepest <= 2, "hold " + latency_file + " open with 0 written to it, or boot with processor.max_cstate=1 idle=poll");
  const std::string huge = line_of("/sys/kernel/mm/transparent_hugepage/enabled");
  e.add("transparent huge pages", huge.empty() ? "not available" : huge, huge.find("[never]") == std::string::npos && !huge.empty(),
        "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled");
  rlimit limit{};
  getrlimit(RLIMIT_MEMLOCK, &limit);
  const bool lockable = mlockall(MCL_CURRENT) == 0;
  if (lockable) munlockall();
  e.add("memory locking",
        std::string(lockable ? "works" : "refused") + ", limit " +
            (limit.rlim_cur == RLIM_INFINITY ? std::string("none") : std::to_string(limit.rlim_cur / 1024) + " KiB"),
        lockable, "raise memlock in /etc/security/limits.conf or give CAP_IPC_LOCK");
  const int policy = sched_getscheduler(0);
  sched_param parameters{};
  parameters.sched_priority = 1;
  const bool can_fifo = sched_setscheduler(0, SCHED_FIFO, &parameters) == 0;
  if (can_fifo) {
    sched_param normal{};
    sched_setscheduler(0, policy, &normal);
  }
  e.add("real-time scheduling", can_fifo ? "SCHED_FIFO is allowed" : "SCHED_FIFO is refused", can_fifo, "give CAP_SYS_NICE, or rtprio in limits.conf");
  const std::string budget = line_of("/proc/sys/kernel/sched_rt_runtime_us");
  e.add("real-time throttling", budget.empty() ? "not visible" : budget + " us of every second's period", budget.empty() || budget == "-1",
        "sysctl kernel.sched_rt_runtime_us=-1 for a thread that spins on an isolated processor");
  const std::string realtime = line_of("/sys/kernel/realtime");
  e.add("kernel", line_of("/proc/sys/kernel/osrelease") + (realtime == "1" ? ", PREEMPT_RT" : ""), realtime == "1", "a PREEMPT_RT kernel");
  const std::string swap = line_of("/proc/sys/vm/swappiness");
  std::ifstream swaps("/proc/swaps");
  int n_swaps = -1;
  for (std::string line; std::getline(swaps, line);) ++n_swaps;
  e.add("swap", n_swaps > 0 ? std::to_string(n_swaps) + " areas, swappiness " + swap : "none", n_swaps <= 0, "swapoff -a");
  std::ifstream info("/proc/cpuinfo");
  bool hypervisor = false;
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("flags") && line.find(" hypervisor") != std::string::npos) hypervisor = true;
  e.add("virtual machine", hypervisor ? "yes: the host may stop this processor at any time" : "no", !hypervisor, "run on bare metal, or pin the virtual processors");
  std::ifstream load("/proc/loadavg");
  double mean = 0;
  load >> mean;
  const auto n_cpus = static_cast<double>(sysconf(_SC_NPROCESSORS_ONLN));
  std::ostringstream text;
  text << mean << " on " << n_cpus << " processors";
  e.add("load", text.str(), mean < 0.5 * n_cpus, "stop what else is running");
}

/// How late `clock_nanosleep` returns, every 200 us.
Histogram wake_up_latency(double seconds) {
  Histogram histogram;
  std::int64_t due = now_ns();
  const std::int64_t end = due + static_cast<std::int64_t>(seconds * 1e9);
  while (due < end) {
    due += 200'000;
    const timespec t{due / 1'000'000'000, due % 1'000'000'000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, nullptr);
    const std::int64_t now = now_ns();
    histogram.add(now - due);
    if (now > due) due = now;
  }
  return histogram;
}
/// Gaps between two looks at the clock of a thread that does nothing else; only those above 1 us count as stolen.
Histogram spinning_gaps(double seconds, double& stolen_share) {
  Histogram histogram;
  const std::int64_t start = now_ns(), end = start + static_cast<std::int64_t>(seconds * 1e9);
  std::int64_t stolen = 0, last = start;
  while (last < end) {
    const std::int64_t now = now_ns();
    histogram.add(now - last);
    if (now - last > 1000) stolen += now - last;
    last = now;
  }
  stolen_share = static_cast<double>(stolen) / static_cast<double>(last - start);
  return histogram;
}

void doctor(int cpu, double seconds, const std::string& json_path) {
  if (!(seconds > 0 && seconds <= 3600)) throw CommandError("--seconds: got " + std::to_string(seconds) + ", expected above 0, at most 3600");
  ReportFile json(json_path);
  if (cpu != -1) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<unsigned>(cpu), &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) throw CommandError("--cpu " + std::to_string(cpu) + ": cannot pin to this processor");
  }
  Examination e;
  const int here = sched_getcpu();
  examine(e, here < 0 ? 0 : here);
  const Interference before = Interference::now();
  const Histogram wake = wake_up_latency(seconds / 2);
  double stolen = 0;
  const Histogram spin = spinning_gaps(seconds / 2, stolen);
  const Interference during = Interference{}.add_since(before);
  ordered_json report{{"cpu", here},
                      {"allowed_cpus", status_line("Cpus_allowed_list")},
                      {"findings", e.findings},
                      {"wake_up", wake.json()},
                      {"spinning_gap", spin.json()},
                      {"stolen_share", stolen},
                      {"involuntary_switches", during.involuntary_switches}};
  if (json_path != "-") {
    for (const auto& finding : e.findings)
      std::printf("%-5s %-30s %s\n%s", finding["good"].get<bool>() ? "ok" : "BAD", finding["what"].get<std::string>().c_str(),
                  finding["found"].get<std::string>().c_str(),
                  finding["good"].get<bool>() ? "" : ("        -> " + finding["advice"].get<std::string>() + "\n").c_str());
    std::printf("\nfloor, measured for %g s on processor %d (us):       p50       p99     p99.9       max\n", seconds, here);
    for (const auto& [name, h] : {std::pair{"woken from sleep later by", &wake}, std::pair{"kept from running for", &spin}})
      std::printf("  %-43s %9.3f %9.3f %9.3f %9.3f\n", name, static_cast<double>(h->quantile(0.5)) / 1e3,
                  static_cast<double>(h->quantile(0.99)) / 1e3, static_cast<double>(h->quantile(0.999)) / 1e3,
                  static_cast<double>(h->max()) / 1e3);
    std::printf("  %.3g %% of the time was stolen in gaps above 1 us, %ld involuntary switches\n", 100 * stolen, during.involuntary_switches);
    std::printf("%d finding%s would spoil real time\n", e.n_bad, e.n_bad == 1 ? "" : "s");
  }
  json.write(report.dump(2) + "\n");
}

}  // namespace

void add_doctor_command(CLI::App& app) {
  auto* command = app.add_subcommand("doctor", "what of this host would spoil real time, with the measured floor of its latencies");
  struct Flags {
    int cpu = -1;
    double seconds = 2;
    std::string json;
  };
  const auto flags = std::make_shared<Flags>();
  command->add_option("--cpu", flags->cpu, "pin to this processor first");
  command->add_option("--seconds", flags->seconds, "how long to measure")->capture_default_str();
  command->add_option("--json", flags->json, "where the report goes as JSON ('-': standard output, and nothing else there)");
  command->callback([flags] { doctor(flags->cpu, flags->seconds, flags->json); });
}

}  // namespace spinel::cli
