// The tunnels of the site: looks at the machine's network, brings every path up that can be, keeps
// the kernel as it shall be, moves traffic, finds out what is wrong, and says so.
//
// One pass, look(), makes actual what is wanted; it runs when the network or a path's interface
// changed, when settings or the membership did, and once a second. The fast way past it: a path
// that dies moves its traffic in the turn in which that is known.
//
// Thread: loop. Order: construct, configure, start; stop() before the ports end. Lifetime: ends
// before the ports and the sink. What runs in the kernel, or beside the daemon, stays when this
// ends: the next one takes it over.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "firmware/ports/clock.h"
#include "firmware/ports/links.h"
#include "firmware/ports/programs.h"
#include "firmware/ports/wireguard.h"
#include "firmware/tunnel/carriage.h"
#include "firmware/tunnel/clock_floor.h"
#include "firmware/tunnel/diagnosis.h"
#include "firmware/tunnel/drill.h"
#include "firmware/tunnel/endpoint_book.h"
#include "firmware/tunnel/membership_desk.h"
#include "firmware/tunnel/path_line.h"
#include "firmware/tunnel/portal_watch.h"
#include "firmware/tunnel/rule_keeper.h"
#include "firmware/tunnel/shim.h"
#include "firmware/tunnel/traffic_switch.h"
#include "firmware/tunnel/uplink_watch.h"

namespace sluice::tunnel {

// A node in the cloud, by a numeric address. What is sent to it may not leave in clear.
struct CloudNode {
  std::string name;
  IpAddress address;
  bool operator==(const CloudNode&) const = default;
};

struct SiteSettings {
  bool on = true;
  bool failover = true;
  bool tcp443 = true;
  bool step_clock = true;
  std::vector<UplinkSetting> uplinks;       // empty: those with a default route
  std::map<std::string, int64_t> rates_up;  // bit/s by uplink's name; missing: not known
  PathSettings path;
  Duration key_life = kKeyLife;  // zero: only when asked
  Duration port_life;            // zero: only out of need
  uint8_t outer_dscp = 0;
  std::vector<CloudNode> nodes;  // those that are enabled
  std::string check_url;         // for captive portals; empty: the operator's
};

struct TunnelPorts {
  ports::Clock& clock;
  ports::Calendar& calendar;
  ports::DateSetter& date;
  ports::Timers& timers;
  ports::Links& links;
  ports::WireGuard& wireguard;
  ports::Datagrams& datagrams;
  ports::Dialers& dialers;
  ports::Programs& programs;
  ports::Names& names;
  ports::Files& files;
  ports::Random& random;
  ports::Secrets& secrets;
  HttpOf http;
  Log& log;
  PlainHttpOf plain_http = {};  // none: captive portals are not looked for
};

class SiteTunnels : public TunnelSight,
                    public TunnelCommands,
                    public ports::WgEvents,
                    private ports::LinksSink,
                    private LineSink,
                    private EndpointSink {
 public:
  static constexpr Duration kTick = Duration::seconds(1);
  // Whatever else happens on the machine: other programs' routes and links, for example.
  static constexpr Duration kLookEvery = Duration::ms(20);
  // Out of need: of one path. By age: of all, so that never two paths are changed at once.
  static constexpr Duration kNewPortEvery = Duration::seconds(20);
  static constexpr size_t kSwitchesShown = 10;
  // In a second, passes that find something to change; more: somebody undoes what they do.
  static constexpr int kChangingLooksMax = 40;
  // An interface that is not there any more keeps its paths and keys so long.
  static constexpr Duration kUplinkWait = Duration::seconds(600);

  SiteTunnels(TunnelPorts ports, std::string state_folder, std::string box_name,
              CarriageSink& sink);
  ~SiteTunnels() override;
  SiteTunnels(const SiteTunnels&) = delete;
  SiteTunnels& operator=(const SiteTunnels&) = delete;

  void configure(SiteSettings settings);
  // A membership that cannot be read is said, and nothing is brought up.
  void start();
  // Looks and changes no more; everything stays as it is, for a successor or the next start.
  void stop();

  // Of a traffic class now. Nothing: no network was joined. Tunnels that are off carry nothing.
  std::optional<Carriage> carriage(TrafficClass traffic) const;
  bool is_behind(const IpAddress& address) const;   // in the network's prefixes
  bool is_of_site(const IpAddress& address) const;  // and the site's own, see overlap.h

  TunnelReport tunnels() const override;
  void join(const JoinWish& wish, std::string_view author, Done done) override;
  void import(std::string_view text, std::string_view author, Done done) override;
  void rotate(std::string_view author, Done done) override;
  void leave(std::string_view author, Done done) override;
  void drill(std::string_view author, OnDrill done) override;

  void on_data_plane_lost(const std::string& interface, const Error& why) override;
  void on_data_plane_back(const std::string& interface) override;

 private:
  struct Line;  // a path with what only the site knows of it

  void on_network_changed(const std::vector<int>& links) override;
  void on_path_changed(int number) override;
  void on_line_changed(int number) override;
  void on_address_changed(const std::string& pop, IpAddress::Family family) override;
  void soon();  // look() in a later turn, kLookEvery after the last at the earliest
  void tick();
  void remember_uplinks();
  void undo_drill();

  // site_look.cpp: the pass.
  void look();
  bool read_network();
  void compare_plans();
  void follow_uplinks(const std::vector<UplinkSeen>& before);
  PathWishes path_wishes(const Membership& membership);
  void make_lines(const Membership* membership);
  WantedInput wanted_input(const Membership* membership, bool up) const;
  void apply(const Wanted& wanted);
  void bring_up(const Wanted& wanted, const Membership* membership);
  void keep_rules(const Membership* membership, bool up);
  void keep_shaping();
  bool note_belt(const std::string& counters);  // as nft tells them; false: it is not there
  std::optional<IpEndpoint> endpoint_of(Line& line, const MemberPath& path) const;
  int routes_mtu() const;

  // site_date.cpp: the date, and which paths it holds back.
  void judge_date();
  void on_date_told();
  bool was_date_set(Date date, Instant now);
  void expect_date_anew();
  ClockEvidence date_evidence(Date date);
  void set_date(Instant now, bool said);
  void note_handshake(Line& line) const;
  std::optional<Duration> handshake_age(const Line& line) const;
  bool lives(const Line& line) const;
  bool may_handshake(const Line& line) const;
  bool is_beginning(const Line& line) const;
  bool is_dated_ahead(const Line& line) const;

  // site_care.cpp: what is looked after once a second.
  void care_for(Line& line, const Membership& membership);
  PathEvidence evidence_of(const Line& line, const MemberPath& path) const;
  void add_where(const Line& line, const MemberPath& path, PathEvidence& seen) const;
  void judge_addresses();
  void renew_paths(const Membership& membership);
  // The path whose traffic has to leave it first; nothing: none has.
  std::optional<int> renew_ports();
  void believe_unprobed(Line& line);
  PathState state_of(const Line& line) const;
  Instant since_of(const Line& line) const;
  std::vector<std::string> unwell() const;
  std::set<std::string> lifeless() const;  // uplinks: no path of theirs lives, for a while

  void choose();
  std::vector<PathView> views() const;
  std::vector<PathLoss> losses() const;
  Line* line_of(int number);
  Line* line_of(const std::string& interface);
  const Membership* membership() const { return desk_.membership(); }
  // The membership's paths are wanted; without, its addresses are guarded and lead nowhere.
  bool is_up() const { return membership() != nullptr && settings_.on && !refused_; }
  std::vector<IpAddress> nodes_in_site() const;
  std::vector<Words> standing_findings() const;

  // Fixed after construction.
  TunnelPorts ports_;
  CarriageSink& sink_;

  // Changes.
  SiteSettings settings_;
  bool running_ = false;
  bool clean_ = false;  // not joined, and nothing of ours is in the kernel
  MembershipDesk desk_;
  EndpointBook book_;
  ClockFloor floor_;
  TrafficSwitch switch_;
  RuleKeeper rules_;
  UplinkWatch watch_;
  PortalWatch portals_;
  ports::NetworkState network_;
  std::vector<UplinkSeen> uplinks_;
  std::map<int, std::unique_ptr<Line>> lines_;  // by number
  ClockVerdict clock_;
  std::optional<Date> rotation_asked_;
  std::string network_trouble_;
  std::set<std::string> straying_;                 // interfaces that are being removed
  int changing_looks_left_ = kChangingLooksMax;    // until the next tick
  bool undone_ = false;                            // there were more, and it is not as wanted yet
  std::optional<std::pair<Date, Instant>> dated_;  // of one moment
  bool date_set_ = false;                          // by something else, in this run
  bool floor_tried_ = false;                       // the date was set to the floor, or could not be
  std::optional<Instant> date_awaited_until_;
  std::vector<std::string> failed_;         // changes that the kernel refused in the last pass
  std::map<std::string, Instant> missing_;  // uplinks without an interface, since when
  int routes_mtu_ = 0;                      // as last wanted
  std::optional<Instant> looked_at_;
  Instant next_port_turn_;            // by age
  std::optional<BeltCounters> belt_;  // as last read
  std::vector<IpPrefix> told_prefixes_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::vector<Words> overlaps_;
  bool refused_ = false;  // one of them keeps the tunnels down
  std::vector<SitePart> site_parts_;
  std::optional<Carriage> told_[kClasses];
  std::unique_ptr<Drill> drill_;
  std::unique_ptr<ports::Timer> tick_;
  std::unique_ptr<ports::Timer> soon_;
  std::unique_ptr<ports::Timer> again_;  // choice
};

}  // namespace sluice::tunnel
