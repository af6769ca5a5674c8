// sluiced probe: asks a place, or the places of a subnet, what they are. Works without the daemon
// and sends nothing but GET.
#include <fmt/format.h>

#include <set>

#include "drivers/curl/curl_client.h"
#include "drivers/os/files.h"
#include "drivers/uv/clock.h"
#include "drivers/uv/loop.h"
#include "drivers/uv/timers.h"
#include "firmware/box/cli.h"
#include "firmware/box/credentials.h"
#include "firmware/box/discovery.h"
#include "firmware/box/driver_book.h"
#include "firmware/box/probe_text.h"
#include "firmware/sense/subnet.h"

namespace sluice::box {

using ports::JsonValue;

namespace {

constexpr Duration kSubnetConnect = Duration::ms(500);

// The site's own drivers too, where the settings say that they lie; without settings, where they
// lie unless told otherwise.
Result<sense::DriverCatalog> drivers_of(const std::string& config) {
  drivers::OsFiles files;
  const Result<LoadedSettings> loaded = load_settings(config, files);
  const std::string folder = loaded ? loaded->effective.settings.start.drivers_dir
                                    : settings::Settings().start.drivers_dir;
  Result<DriverBook> book = read_drivers(folder, files);
  if (!book) return book.error();
  for (const Error& fault : book->faults) {
    std::fputs(fmt::format("sluiced: {}: {}; it is left out\n", fault.where, fault.text).c_str(),
               stderr);
  }
  return std::move(book->catalog);
}

Result<ports::HttpFields> credentials_of(const ProbeOptions& options) {
  ports::HttpFields fields;
  if (options.key_file.empty()) return fields;
  drivers::OsFiles files;
  const Result<std::string> key = read_secret_file(options.key_file, files);
  if (!key) return key.error();
  fields.add("Authorization", "Bearer " + *key);
  return fields;
}

// Ports on which some driver listens unless told otherwise.
std::set<int> usual_ports(const std::vector<const sense::DriverFacts*>& drivers) {
  std::set<int> ports;
  for (const sense::DriverFacts* driver : drivers) {
    if (driver->port != 0) ports.insert(driver->port);
    if (driver->scrape.metrics_port != 0) ports.insert(driver->scrape.metrics_port);
  }
  return ports;
}

// Who has the page itself before his eyes gives its address; what is asked for lies above it.
void leave_page(ports::HttpOrigin& origin, const std::vector<const sense::DriverFacts*>& drivers) {
  for (const sense::DriverFacts* driver : drivers) {
    for (const std::string& page : driver->scrape.pages) {
      if (!origin.base_path.ends_with(page)) continue;
      origin.base_path.resize(origin.base_path.size() - page.size());
      return;
    }
  }
}

Result<std::vector<ports::HttpOrigin>> places_of(
    const ProbeOptions& options, const std::vector<const sense::DriverFacts*>& drivers) {
  std::vector<ports::HttpOrigin> places;
  if (options.subnet.empty()) {
    Result<ports::HttpOrigin> origin = ports::parse_origin(options.url);
    if (!origin) return origin.error();
    leave_page(*origin, drivers);
    places.push_back(std::move(*origin));
    return places;
  }
  const Result<std::vector<std::string>> hosts = sense::hosts_of(options.subnet);
  if (!hosts) return hosts.error();
  std::set<int> ports(options.ports.begin(), options.ports.end());
  if (ports.empty()) ports = usual_ports(drivers);
  for (const std::string& host : *hosts) {
    for (const int port : ports) {
      Result<ports::HttpOrigin> origin =
          ports::parse_origin(fmt::format("http://{}:{}", host, port));
      if (!origin) return origin.error();
      places.push_back(std::move(*origin));
    }
  }
  return places;
}

class Told {
 public:
  Told(const Options& options, bool one)
      : options_(options), one_(one), list_(JsonValue::array()) {}

  void place(const ports::HttpOrigin& origin, const sense::AnswersRead& answers,
             const sense::Identity& identity) {
    const ProbedPlace place{origin, answers, identity};
    if (identity.best() != nullptr) ++known_;
    if (options_.json) {
      list_.push(probe_json(place));
    } else if (one_) {
      say(probe_text(place, options_.probe.all));
    } else {
      say(fmt::format("{:<28} {}\n", origin.text(), probe_line(place)));
    }
  }
  int finish(size_t places) {
    if (options_.json) {
      const JsonValue::Array& found = *list_.as_array();
      say(ports::to_json(one_ && found.size() == 1 ? found.front() : list_) + "\n");
    } else if (!one_) {
      say(fmt::format("{} places asked, {} known\n", places, known_));
    }
    return known_ > 0 ? 0 : 1;
  }

 private:
  const Options& options_;
  const bool one_;
  JsonValue list_;
  int known_ = 0;
};

}  // namespace

int probe(const Options& options) {
  const ProbeOptions& wish = options.probe;
  const Result<sense::DriverCatalog> catalog = drivers_of(options.config);
  if (!catalog) return complain(catalog.error());
  const std::vector<const sense::DriverFacts*> all = catalog->all();
  const Result<ports::HttpFields> credentials = credentials_of(wish);
  if (!credentials) return complain(credentials.error());
  Result<std::vector<ports::HttpOrigin>> places = places_of(wish, all);
  if (!places) return complain(places.error());
  const bool one = wish.subnet.empty();
  sense::SurveyTimes times;
  if (!one) {
    times.connect = kSubnetConnect;
    std::fputs(fmt::format("{} places, {} at a time\n", places->size(), kSurveysAtOnce).c_str(),
               stderr);
  }
  drivers::UvLoop loop;
  const drivers::UvClock clock(loop);
  drivers::UvTimers timers(loop, clock);
  drivers::CurlClient http(loop.raw(), wish.ca_file);
  Told told(options, one);
  Discovery discovery({loop, http, timers}, all, *credentials, times, one,
                      [&told](const auto&... found) { told.place(found...); });
  for (ports::HttpOrigin& origin : *places) discovery.add(std::move(origin));
  discovery.run();
  return told.finish(places->size());
}

}  // namespace sluice::box
