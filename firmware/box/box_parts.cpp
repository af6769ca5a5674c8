#include "firmware/box/box_parts.h"

#include <algorithm>

#include "firmware/base/check.h"
#include "firmware/box/configure.h"
#include "firmware/web/page_files.h"

namespace sluice::box {

namespace {

meter::MeterSettings meter_settings(const settings::Settings& settings) {
  meter::MeterSettings meter;
  meter.folder = settings.start.state_dir + "/attempts";
  meter.commit = settings.live.metering.commit;
  meter.journal_max = settings.live.metering.journal_max;
  meter.currency = settings.start.currency;
  return meter;
}

}  // namespace

Box::Stored::Stored(Box& box, std::unique_ptr<ports::Store> opened)
    : store(std::move(opened)),
      meter({box.clock_, box.calendar_, box.timers_, box.files_, *store, box.work_, box.log_},
            meter_settings(box.settings())),
      keys({box.files_, box.secrets_, box.calendar_},
           box.settings().start.state_dir + "/keys.json"),
      journal(box.settings().start.state_dir + "/decisions", box.files_, box.timers_, box.log_) {}

Box::Serving::Serving(Box& box, std::string admin_token)
    : shadow(box.stored_->journal, box.clock_, box.calendar_, box.timers_),
      decisions(shadow, static_cast<size_t>(box.settings().live.decisions.keep)),
      world{box.clock_,
            box.calendar_,
            box.timers_,
            *box.proxy_random_,
            box.stored_->keys,
            box.senses_,
            box.stored_->meter,
            box.room_,
            decisions,
            box.limits_,
            box.bodies_,
            box.scratch_,
            box.log_,
            proxy_policy(box.settings()),
            {}},
      calibration_random(box.randoms_.stream("calibration")),
      calibrator(
          {box.clock_, box.calendar_, box.timers_, *calibration_random, box.files_, box.log_},
          world, box.settings().start.state_dir + "/cards.json"),
      web{box.clock_,          box.calendar_,
          box.timers_,         box.senses_,
          decisions,           box.room_,
          world.extras,        box.stored_->meter,
          box.stored_->keys,   box,
          calibrator,          shadow,
          *box.accelerators_,  box.tunnels_->site(),
          box.tunnels_->site()},
      metrics(web),
      api(world, metrics),
      page(web::Door::page, web, web::embedded_page(), std::move(admin_token)),
      admin(web::Door::admin_socket, web, {}, ""),
      api_server(box.parsers_, box.timers_, api, box.log_),
      tls_server(box.parsers_, box.timers_, api, box.log_),
      tls_door(box.tls_, tls_server),
      page_server(box.parsers_, box.timers_, page, box.log_),
      admin_server(box.parsers_, box.timers_, admin, box.log_) {
  const settings::ListenSettings& at = box.settings().start.listen;
  const auto add = [this](const char* name, std::optional<ports::Address> address,
                          proxy::HttpServer& server, ports::AcceptSink& sink) {
    entrances.push_back({name, std::move(address), &server, &sink, nullptr});
  };
  add("api", at.api, api_server, api_server);
  add("tls", at.tls, tls_server, tls_door);
  add("page", at.page, page_server, page_server);
  add("admin", ports::Address{"", 0, at.admin_socket}, admin_server, admin_server);
}

const Entrance& Box::Serving::entrance(std::string_view name) const {
  const auto found = std::find_if(entrances.begin(), entrances.end(),
                                  [name](const Entrance& one) { return one.name == name; });
  ENSURE(found != entrances.end());
  return *found;
}

}  // namespace sluice::box
