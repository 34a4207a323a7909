// See sampler.h.
#include "bench/sampler.h"

#include <fmt/format.h>

#include <cstring>
#include <utility>

#include "bench/report_json.h"
#include "bench/text.h"

namespace ringchurn {
namespace {

double seconds(Nanoseconds time) { return static_cast<double>(time) / 1e9; }

/// In the calling thread's network and in `networks`; nullopt if one of them does not say.
std::optional<std::uint64_t> time_wait(const std::list<SideNetwork>& networks) {
  std::optional<std::uint64_t> sum = TcpSockets::read().time_wait;
  for (const SideNetwork& network : networks) {
    const SideNetwork::Visit visit(network);
    const std::optional<std::uint64_t> there = TcpSockets::read().time_wait;
    sum = sum && there ? std::optional(*sum + *there) : std::nullopt;
  }
  return sum;
}

}  // namespace

void BoundedSeries::add(Sample sample) {
  if (++added_ % stride_ != 0) return;
  std::vector<Sample>& samples = series_.samples;
  if (samples.size() == most_) {
    for (std::size_t i = 0; i < most_ / 2; ++i) samples[i] = std::move(samples[2 * i + 1]);
    samples.resize(most_ / 2);
    stride_ *= 2;
    series_.interval_s *= 2;
    if (added_ % stride_ != 0) return;
  }
  samples.push_back(std::move(sample));
}

LoadSampler::LoadSampler(Load load, Nanoseconds interval, const Listeners& listeners)
    : load_(std::move(load)),
      interval_(interval),
      series_(seconds(interval)),
      path_(listeners.jsonl_path),
      metrics_(listeners.metrics) {
  if (!path_.empty()) jsonl_.emplace(path_, "the samples");
}

void LoadSampler::begin(Nanoseconds now) {
  began_ = now;
  due_ = now + interval_;
  // Prometheus sees a counter grow only from a value that it has seen.
  if (metrics_) metrics_->publish(sample_json(sample(now, 0, load_.meter.so_far().kernel)));
}

void LoadSampler::take(Nanoseconds now) {
  Meter::SoFar read = load_.meter.so_far();
  for (const SideNetwork& network : load_.networks) read.kernel += network.moved();
  const Sample taken = sample(now, read.process_cpu_ns, read.kernel);
  hand_on(taken);
  series_.add(taken);
  // What was missed (a stopped process) is not made up for.
  while (due_ <= now) due_ += interval_;
}

void LoadSampler::finish(Nanoseconds now, const Metered& facts) {
  const Sample last = sample(now, facts.process_cpu_ns, facts.kernel);
  hand_on(last);
  series_.add_last(last);
}

Sample LoadSampler::sample(Nanoseconds now, std::uint64_t cpu_ns,
                           const KernelCounters& kernel) const {
  Sample sample;
  sample.t_s = seconds(now - began_);
  sample.counts = counts();
  sample.cpu_us = static_cast<double>(cpu_ns) / 1e3;
  sample.time_wait = time_wait(load_.networks);
  for (const std::string& name : load_.counters) sample.kernel[name] = kernel[name];
  return sample;
}

void LoadSampler::hand_on(const Sample& sample) {
  if (!jsonl_ && !metrics_) return;
  const std::string line = sample_json(sample);
  if (jsonl_) jsonl_->write(line);
  if (metrics_) metrics_->publish(line);
}

std::vector<Verdict> LoadSampler::verdicts() const {
  std::vector<Verdict> verdicts;
  if (jsonl_) {
    Verdict verdict{.name = "samples written", .ok = jsonl_->lost() == 0, .advisory = true};
    verdict.evidence = fmt::format("{} to '{}'", grouped(jsonl_->written()), printable(path_));
    if (!verdict.ok) {
      verdict.evidence +=
          fmt::format(", {} lost: {}", grouped(jsonl_->lost()), std::strerror(jsonl_->error()));
      verdict.remedy = "the lines that are there are whole; the JSON result has the series, too";
    }
    verdicts.push_back(verdict);
  }
  if (metrics_ && !metrics_->is_alive()) {
    verdicts.push_back({"metrics served", false, true, "the process that served them is gone",
                        "look for who ended it; the load is as it was measured"});
  }
  return verdicts;
}

}  // namespace ringchurn
