// A load over time: what it has done, what it cost and what the kernel counted, at even intervals.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "bench/line_sink.h"
#include "bench/link.h"
#include "bench/meter.h"
#include "bench/metrics_server.h"
#include "bench/result.h"
#include "bench/side_network.h"

namespace ringchurn {

/// A series that stays within bounds however long the load is: when it is full, every other sample
/// goes, and the interval doubles.
class BoundedSeries {
 public:
  explicit BoundedSeries(double interval_s, std::size_t most = 4096)
      : series_{interval_s, {}}, most_(most) {}

  /// One more sample, an interval after the one before.
  void add(Sample sample);
  /// The sample of the load's end, which always stays.
  void add_last(Sample sample) { series_.samples.push_back(std::move(sample)); }

  const Series& series() const { return series_; }

 private:
  Series series_;
  std::size_t most_;
  std::uint64_t added_ = 0, stride_ = 1;
};

/// Takes samples of a load that is under way, keeps them, and hands each on. Belongs to the main
/// thread, which is in the load's network.
class LoadSampler {
 public:
  /// What is sampled. What it refers to must outlive the sampler.
  struct Load {
    std::vector<const Link*> links;
    Side whose = Side::client;  ///< connections are those of this end
    Meter& meter;               ///< read when the load was about to begin
    const std::list<SideNetwork>& networks;
    std::set<std::string> counters;  ///< of the kernel's, by name
  };
  /// Who hears of the samples besides the result.
  struct Listeners {
    std::string jsonl_path;            ///< "": nobody
    MetricsServer* metrics = nullptr;  ///< null: nobody
  };

  /// Throws Error (kExitUsage) if the file cannot be written.
  LoadSampler(Load load, Nanoseconds interval, const Listeners& listeners);

  /// The load begins at this moment of clock_ns().
  void begin(Nanoseconds now);
  /// When the next sample is due.
  Nanoseconds due() const { return due_; }
  /// Takes a sample.
  void take(Nanoseconds now);
  /// Takes the last sample: the load is over, `now` its clocks were read, and `facts` is what was
  /// read.
  void finish(Nanoseconds now, const Metered& facts);

  LoadCounts counts() const { return load_counts(load_.links, load_.whose); }
  const Series& series() const { return series_.series(); }
  /// Whether everybody heard of every sample; advisory.
  std::vector<Verdict> verdicts() const;

 private:
  Sample sample(Nanoseconds now, std::uint64_t cpu_ns, const KernelCounters& kernel) const;
  void hand_on(const Sample& sample);

  Load load_;
  Nanoseconds interval_, began_ = 0, due_ = 0;
  BoundedSeries series_;
  std::string path_;
  std::optional<LineSink> jsonl_;
  MetricsServer* metrics_;
};

}  // namespace ringchurn
