#include "firmware/tunnel/membership_desk.h"

#include <algorithm>
#include <utility>

#include "firmware/tunnel/wg_quick.h"

namespace sluice::tunnel {

namespace {

Error has_joined() {
  return {ErrorKind::refused, "tunnel",
          "this box is in a compute network already; sluiced tunnel leave first"};
}

Error has_not_joined() {
  return {ErrorKind::refused, "tunnel", "this box has not joined a compute network"};
}

}  // namespace

MembershipDesk::MembershipDesk(DeskPorts ports, std::string state_folder, std::string box_name,
                               Callback on_changed)
    : ports_(std::move(ports)),
      folder_(std::move(state_folder)),
      box_name_(std::move(box_name)),
      on_changed_(std::move(on_changed)) {}

MembershipDesk::~MembershipDesk() = default;

Result<void> MembershipDesk::load() {
  Result<Membership> loaded = load_membership(ports_.files, folder_);
  unreadable_ = !loaded && loaded.error().kind != ErrorKind::gone;
  if (unreadable_) return loaded.error();
  if (!loaded) return {};
  membership_ = std::move(*loaded);
  if (!membership_->imported()) {
    for (const MemberPath& path : membership_->paths) {
      if (!path.lane || path.next) untold_.insert(path.name.pop);
      if (path.next) rotating_ = path.name;
    }
    if (Result<void> ok = connect(membership_->operator_url, membership_->ca_file); !ok) return ok;
    refresh_at_ = ports_.clock.now() + kRefreshEvery;
  }
  return {};
}

Result<void> MembershipDesk::connect(const std::string& url, const std::string& ca_file) {
  Result<std::unique_ptr<Enrolment>> made =
      Enrolment::make(url, ports_.http(ca_file), ports_.timers, ports_.random);
  if (!made) return made.error();
  enrolment_ = std::move(*made);
  return {};
}

Result<void> MembershipDesk::save() {
  Result<void> saved = save_membership(ports_.files, folder_, *membership_);
  note({Matter::file, ""}, saved);
  return saved;
}

void MembershipDesk::note(const About& about, const Result<void>& result) {
  if (result) {
    troubles_.erase(about);
    return;
  }
  std::string& known = troubles_[about];
  if (result.error().text != known) ports_.log.warning("tunnel", "{}", result.error().text);
  known = result.error().text;
}

void MembershipDesk::forget_troubles() {
  std::erase_if(troubles_, [this](const auto& one) {
    const Matter matter = one.first.first;
    const std::string& subject = one.first.second;
    if (matter == Matter::file) return false;
    if (!membership_) return true;
    if (matter == Matter::keys) return membership_->pop(subject) == nullptr;
    return matter == Matter::readd &&
           std::none_of(membership_->paths.begin(), membership_->paths.end(),
                        [&](const MemberPath& path) { return path.name.text() == subject; });
  });
}

std::vector<Words> MembershipDesk::troubles() const {
  const auto sentence = [](Matter matter) {
    switch (matter) {
      case Matter::file:
        return "隧道的成员资料无法保存到磁盘：";
      case Matter::keys:
        return "未能把路径的密钥告知运营方：";
      case Matter::readd:
        return "未能请运营方重新添加本设备：";
      case Matter::news:
        return "未能从运营方取得网络的新资料：";
    }
    return "";
  };
  std::vector<Words> out;
  for (const auto& [about, text] : troubles_) {
    Words words{text, sentence(about.first) + ("“" + text + "”")};
    if (std::find(out.begin(), out.end(), words) == out.end()) out.push_back(std::move(words));
  }
  return out;
}

// What an earlier run left and could not be read is not written over; perhaps it was mended since.
Result<void> MembershipDesk::may_join() {
  if (joining_now_) {
    return Error{ErrorKind::busy, "tunnel", "the box is joining already; wait for it"};
  }
  if (leaving_now_) {
    return Error{ErrorKind::busy, "tunnel", "the box is leaving a network; wait for it"};
  }
  if (unreadable_) {
    Result<void> loaded = load();
    if (membership_) on_changed_();
    if (!loaded) return loaded;
  }
  if (membership_) return has_joined();
  return {};
}

void MembershipDesk::join(const JoinWish& wish, Done done) {
  if (Result<void> may = may_join(); !may) return done(may.error());
  Result<std::unique_ptr<Enrolment>> made =
      Enrolment::make(wish.url, ports_.http(wish.ca_file), ports_.timers, ports_.random);
  if (!made) return done(made.error());
  joining_ = std::move(*made);
  joining_now_ = true;
  joining_->join(wish.token, box_name_, make_id(ports_.secrets),
                 [this, ca_file = wish.ca_file, done = std::move(done)](Result<Membership> joined) {
                   on_joined(std::move(joined), ca_file, done);
                 });
}

void MembershipDesk::on_joined(Result<Membership> joined, const std::string& ca_file,
                               const Done& done) {
  // Not before `done` has returned: joining again would destroy what calls here.
  if (!joined) {
    done(joined.error());
    joining_now_ = false;
    return;
  }
  joining_now_ = false;
  membership_ = std::move(*joined);
  membership_->ca_file = ca_file;
  enrolment_ = std::move(joining_);
  refresh_at_ = ports_.clock.now() + kRefreshEvery;
  // Without its file the box would be lost to the operator after a restart: the token is used up.
  if (Result<void> saved = save(); !saved) {
    tell_leaving(*std::exchange(membership_, std::nullopt), [](const Result<void>&) {});
    return done(saved.error());
  }
  forget_troubles();
  ports_.log.info("tunnel", "joined {}", membership_->network);
  done({});
  on_changed_();
}

void MembershipDesk::import(std::string_view text, Done done) {
  if (Result<void> may = may_join(); !may) return done(may.error());
  const Result<WgQuickConfig> config = parse_wg_quick(text);
  if (!config) return done(config.error());
  ImportWishes wishes;
  wishes.instance = make_id(ports_.secrets);
  wishes.now = ports_.calendar.now();
  Result<Imported> imported = import_wg_quick(*config, wishes);
  if (!imported) return done(imported.error());
  membership_ = std::move(imported->membership);
  enrolment_.reset();  // it has no operator
  for (const Words& words : imported->ignored) ports_.log.warning("tunnel", "{}", words.en);
  if (Result<void> saved = save(); !saved) {
    membership_.reset();
    return done(saved.error());
  }
  forget_troubles();
  done({});
  on_changed_();
}

// The operator is told, and the box leaves whether it answers or not: the administrator decides.
void MembershipDesk::leave(Done done) {
  if (!membership_) return done(has_not_joined());
  const Membership left = *membership_;
  forget();
  if (!enrolment_ || left.imported()) return done({});
  tell_leaving(left, [done = std::move(done)](const Result<void>& said) {
    if (said) return done({});
    done(Error{said.error().kind, "tunnel",
               "the box has left, but the operator could not be told, and may still list it: " +
                   said.error().text});
  });
}

// Who answers is not destroyed by its answer: later, when it is not needed.
void MembershipDesk::tell_leaving(const Membership& left, Done done) {
  leaving_ = std::move(enrolment_);
  leaving_now_ = true;
  leaving_->leave(left, [this, done = std::move(done)](const Result<void>& said) {
    leaving_now_ = false;
    done(said);
  });
}

void MembershipDesk::forget() {
  membership_.reset();
  untold_.clear();
  telling_.clear();
  rotating_.reset();
  readds_.clear();
  forget_troubles();
  const std::string path = folder_ + "/" + std::string(kMembershipFile);
  note({Matter::file, ""}, ports_.files.remove(path));
  on_changed_();
}

void MembershipDesk::keep_paths(const PathWishes& wishes) {
  if (!membership_ || membership_->imported()) return;
  PathsWanted wanted = paths_wanted(*membership_, wishes);
  left_out_ = wanted.left_out;
  const auto has = [&wanted](const PathName& name) {
    return std::any_of(wanted.paths.begin(), wanted.paths.end(),
                       [&name](const MemberPath& path) { return path.name == name; });
  };
  if (rotating_ && !has(*rotating_)) rotating_.reset();
  for (const MemberPath& path : membership_->paths) {
    if (!has(path.name)) untold_.insert(path.name.pop);
  }
  for (MemberPath& path : wanted.paths) {
    if (path.private_key.is_set()) continue;
    path.private_key = make_private_key(ports_.secrets);
    path.key_made = ports_.calendar.now();
    untold_.insert(path.name.pop);
  }
  if (wanted.paths == membership_->paths) return;
  membership_->paths = std::move(wanted.paths);
  if (save()) tell_at_ = {};
  tell_pops();
}

void MembershipDesk::tell_pops() {
  if (!enrolment_ || !membership_ || ports_.clock.now() < tell_at_) return;
  for (auto at = untold_.begin(); at != untold_.end();) {
    const std::string pop = *at;
    if (membership_->pop(pop) == nullptr) {
      at = untold_.erase(at);
      continue;
    }
    ++at;
    if (!telling_.insert(pop).second) continue;
    untold_.erase(pop);
    std::vector<PeerToPut> peers = peers_of(*membership_, pop);
    enrolment_->put_peers(*membership_, pop, peers,
                          [this, pop, peers](const Result<std::vector<Lane>>& lanes) {
                            on_lanes(pop, peers, lanes);
                          });
  }
}

// An answer about keys that have changed since is of no use: the PoP is told again.
void MembershipDesk::on_lanes(const std::string& pop, const std::vector<PeerToPut>& peers,
                              const Result<std::vector<Lane>>& lanes) {
  telling_.erase(pop);
  if (!membership_) return;
  if (!lanes) {
    untold_.insert(pop);
    tell_at_ = ports_.clock.now() + kTellAgain;
    return note({Matter::keys, pop}, lanes.error());
  }
  note({Matter::keys, pop}, {});
  for (size_t i = 0; i < peers.size(); ++i) {
    MemberPath* path = membership_->path(peers[i].path);
    if (path == nullptr) continue;
    if (path->next && public_key_of(*path->next) == peers[i].public_key) {
      finish_rotation(*path, (*lanes)[i], ports_.calendar.now());
      ports_.log.info("tunnel", "{} has a new key pair", path->name.text());
      if (rotating_ == path->name) rotating_.reset();
    } else if (public_key_of(path->private_key) == peers[i].public_key) {
      path->lane = (*lanes)[i];
    } else {
      untold_.insert(pop);
    }
  }
  (void)save().has_value();  // said; what is in memory serves
  on_changed_();
}

void MembershipDesk::rotate(const PathName& name) {
  if (!membership_ || !enrolment_ || rotating_) return;
  MemberPath* path = membership_->path(name);
  if (path == nullptr) return;
  if (!path->next) begin_rotation(*path, ports_.secrets);
  if (!save()) return;
  rotating_ = name;
  untold_.insert(name.pop);
  tell_at_ = {};
  tell_pops();
}

void MembershipDesk::readd(const PathName& name) {
  const MemberPath* path = membership_ ? membership_->path(name) : nullptr;
  if (path == nullptr || !enrolment_) return;
  const Instant now = ports_.clock.now();
  const auto asked = readds_.find(name);
  if (asked != readds_.end() && now < asked->second.asked + kReaddEvery) return;
  readds_[name] = {now, false};
  ports_.log.warning("tunnel", "{}: asking the PoP to add this box anew", name.text());
  enrolment_->readd(*membership_, name.pop, public_key_of(path->private_key),
                    [this, name](const Result<void>& added) {
                      const auto known = readds_.find(name);
                      if (known == readds_.end()) return;
                      note({Matter::readd, name.text()}, added);
                      known->second.done = added.has_value();
                    });
}

bool MembershipDesk::readd_asked(const PathName& path) const {
  const auto asked = readds_.find(path);
  return asked != readds_.end() && asked->second.done;
}

// When it was asked stays: it is not asked more often for this.
void MembershipDesk::readd_helped(const PathName& path) {
  const auto asked = readds_.find(path);
  if (asked == readds_.end()) return;
  asked->second.done = false;
  note({Matter::readd, path.text()}, {});
}

void MembershipDesk::refresh() {
  if (!enrolment_ || !membership_ || ports_.clock.now() < refresh_at_) return;
  refresh_at_ = ports_.clock.now() + kRefreshEvery;
  enrolment_->refresh(*membership_, [this](Result<NetworkNews> news) {
    if (!membership_) return;
    if (!news) {
      refresh_at_ = ports_.clock.now() + kRefreshAgain;
      return note({Matter::news, ""}, news.error());
    }
    note({Matter::news, ""}, {});
    const Membership before = *membership_;
    take_news(*membership_, std::move(*news));
    if (rotating_ && membership_->path(*rotating_) == nullptr) rotating_.reset();
    if (before == *membership_) return;
    ports_.log.info("tunnel", "the operator changed the network's plan");
    (void)save().has_value();  // said
    on_changed_();
  });
}

void MembershipDesk::poll() {
  if (!leaving_now_) leaving_.reset();
  forget_troubles();
  tell_pops();
  refresh();
}

}  // namespace sluice::tunnel
