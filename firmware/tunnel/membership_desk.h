// Who the box is in its compute network: keeps the membership on disk, makes keys of the paths,
// tells the PoPs of them, and changes them in time. Everything that is a step of a longer story is
// on disk before it is done, so that the story goes on after a power cut.
// Thread: loop. Lifetime: ends before the ports. `on_changed` comes in a later turn than the call
// that caused it, or from an answer of the operator.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "firmware/base/log.h"
#include "firmware/ports/clock.h"
#include "firmware/tunnel/enrolment.h"
#include "firmware/tunnel/membership.h"
#include "firmware/tunnel/path_keys.h"
#include "firmware/tunnel/tunnel_commands.h"
#include "firmware/tunnel/words.h"

namespace sluice::tunnel {

// A client of the operator's endpoint that trusts these authorities besides the system's.
using HttpOf = std::function<ports::HttpClient&(const std::string& ca_file)>;

struct DeskPorts {
  ports::Files& files;
  ports::Secrets& secrets;
  ports::Random& random;
  ports::Timers& timers;
  const ports::Clock& clock;
  const ports::Calendar& calendar;
  HttpOf http;
  Log& log;
};

class MembershipDesk {
 public:
  static constexpr Duration kTellAgain = Duration::seconds(10);   // after an error
  static constexpr Duration kReaddEvery = Duration::seconds(60);  // of one path
  static constexpr Duration kRefreshEvery = Duration::seconds(3600);
  static constexpr Duration kRefreshAgain = Duration::seconds(300);  // after an error
  using Done = TunnelCommands::Done;

  MembershipDesk(DeskPorts ports, std::string state_folder, std::string box_name,
                 Callback on_changed);
  ~MembershipDesk();
  MembershipDesk(const MembershipDesk&) = delete;
  MembershipDesk& operator=(const MembershipDesk&) = delete;

  // Errors: of a file that is there and cannot be used; then nothing is overwritten.
  Result<void> load();
  const Membership* membership() const { return membership_ ? &*membership_ : nullptr; }
  bool is_unreadable() const { return unreadable_; }  // there is one, load() could not use it

  void join(const JoinWish& wish, Done done);
  void import(std::string_view text, Done done);
  void leave(Done done);

  // The paths that there shall be. New ones get keys, and their PoPs are told.
  void keep_paths(const PathWishes& wishes);
  // The next key pair of one path.
  void rotate(const PathName& path);
  bool is_rotating() const { return rotating_.has_value(); }
  // The PoP forgets the clock that it remembers of this path. At most every kReaddEvery.
  void readd(const PathName& path);
  // Since it worked last, and the PoP has done it.
  bool readd_asked(const PathName& path) const;
  void readd_helped(const PathName& path);  // it works
  void poll();                              // once a second
  // With the operator or the disk, each until it has gone well.
  std::vector<Words> troubles() const;
  int left_out() const { return membership_ ? left_out_ : 0; }  // paths beyond kPathsMax

 private:
  Result<void> connect(const std::string& url, const std::string& ca_file);
  Result<void> save();
  void tell_pops();
  void on_lanes(const std::string& pop, const std::vector<PeerToPut>& peers,
                const Result<std::vector<Lane>>& lanes);
  void on_joined(Result<Membership> joined, const std::string& ca_file, const Done& done);
  void forget();
  Result<void> may_join();
  void refresh();
  void tell_leaving(const Membership& left, Done done);
  // What a trouble is about: a matter, and the PoP or path.
  enum class Matter { file, keys, readd, news };
  using About = std::pair<Matter, std::string>;
  void note(const About& about, const Result<void>& result);
  void forget_troubles();  // of what is not there any more

  // Fixed after construction.
  DeskPorts ports_;
  const std::string folder_;
  const std::string box_name_;
  const Callback on_changed_;
  // Changes.
  std::optional<Membership> membership_;
  std::unique_ptr<Enrolment> enrolment_;
  std::unique_ptr<Enrolment> joining_;
  std::unique_ptr<Enrolment> leaving_;  // the last that was told, or is being told
  std::set<std::string> untold_;        // PoPs that do not know all keys
  std::set<std::string> telling_;       // PoPs whose answer is awaited
  std::optional<PathName> rotating_;
  struct Readd {
    Instant asked;
    bool done = false;
  };
  std::map<PathName, Readd> readds_;
  Instant tell_at_;
  Instant refresh_at_;
  int left_out_ = 0;
  bool joining_now_ = false;
  bool leaving_now_ = false;
  bool unreadable_ = false;
  std::map<About, std::string> troubles_;
};

}  // namespace sluice::tunnel
