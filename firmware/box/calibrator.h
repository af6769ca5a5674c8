// Calibrations as the box runs them: one at a time, of an engine that nobody uses, within the
// window of the settings; it sees the live traffic and gives way to it. What was found is kept in
// <state_dir>/cards.json and told to sense, now and at every start.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "firmware/base/log.h"
#include "firmware/ports/clock.h"
#include "firmware/ports/files.h"
#include "firmware/proxy/proxy_world.h"
#include "firmware/sense/calibration.h"
#include "firmware/settings/settings.h"
#include "firmware/web/calibration_commands.h"

namespace sluice::box {

struct CalibratorPorts {
  const ports::Clock& clock;
  const ports::Calendar& calendar;
  ports::Timers& timers;
  ports::Random& random;
  ports::Files& files;
  Log& log;
};

class Calibrator : public web::CalibrationCommands,
                   private sense::CalibrationGuard,
                   private sense::CalibrationSink {
 public:
  static constexpr Duration kUnaskedMax = Duration::seconds(15);
  static constexpr Duration kReadingsMin = Duration::seconds(2);  // ours leave the metrics in it

  Calibrator(CalibratorPorts ports, proxy::ProxyWorld& world, std::string cards_path);
  ~Calibrator() override;

  // Reads the cards. A file that cannot be read is told in the log and not used.
  void load();
  // After every change of the nodes.
  void configure(const settings::Settings& settings);
  void stop(const std::string& why);

  Result<void> calibrate(const web::CalibrationWish& wish, std::string_view author) override;
  Result<void> stop_calibration(std::string_view author) override;
  std::string calibration() override;

 private:
  struct Kept {  // most of ours in the engine at a time, now and a while before
    int now = 0;
    int before = 0;
    Instant since;
  };

  std::string objection(int ours) override;
  void on_calibrated(const sense::CardFacts& card) override;
  void on_calibration_stopped(const std::string& why) override;

  Result<void> check(const web::CalibrationWish& wish, const sense::NodeState& node) const;
  Result<std::string> model_of(const web::CalibrationWish& wish,
                               const sense::NodeState& node) const;
  std::string strangers(const sense::NodeState& node, int ours);
  bool was_asked_for(const sense::NodeState& node);
  void save();
  void tell_sense();
  std::string url_of(const std::string& node) const;

  CalibratorPorts ports_;
  proxy::ProxyWorld& world_;
  std::string path_;

  settings::LiveSettings live_;
  std::vector<sense::CardFacts> cards_;
  std::map<std::string, sense::CardFacts> told_;  // to sense, by node
  std::unique_ptr<sense::Calibration> run_;
  std::string node_;       // under measurement, or the last
  std::string trouble_;    // why the last one was stopped; empty: it was not
  std::string unsaved_;    // why its card could not be kept
  uint64_t decision_ = 0;  // the last one that was looked at
  Kept ours_;
  int strange_readings_ = 0;
  Instant strange_at_;
  Instant asked_;
};

}  // namespace sluice::box
