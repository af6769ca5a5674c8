#include "drivers/uv/names.h"

#include <uv.h>

#include <algorithm>
#include <utility>

#include "drivers/uv/addresses.h"
#include "drivers/uv/outbound.h"

namespace sluice::drivers {

namespace {

constexpr size_t kHostMax = 255;  // RFC 1035 section 2.3.4

// asking -> answered, or asking -> out of time. `answer_` is told in a later turn.
class UvNameQuery final : public ports::NameQuery {
 public:
  UvNameQuery(UvLoop& loop, ports::Timers& timers, std::string host, ports::Names::Done done);
  ~UvNameQuery() override;
  UvNameQuery(const UvNameQuery&) = delete;
  UvNameQuery& operator=(const UvNameQuery&) = delete;

 private:
  struct Lookup {  // on the heap until libuv calls back: a running one cannot be stopped
    uv_getaddrinfo_t request;
    UvNameQuery* query;
  };
  using Answer = Result<std::vector<IpAddress>>;

  static void on_lookup(uv_getaddrinfo_t* request, int status, addrinfo* found) noexcept;
  void begin(UvLoop& loop);
  void ask(UvLoop& loop);
  void answer_soon(Answer answer);
  void give_up();
  void on_time();

  // Fixed after construction.
  const std::string host_;
  const ports::Names::Done done_;
  // Changes.
  Lookup* lookup_ = nullptr;  // null when libuv does not hold one for us
  Answer answer_;             // no answer in time, unless one comes
  std::unique_ptr<ports::Timer> timer_;
};

Error no_answer(const std::string& host, const std::string& why) {
  return {ErrorKind::gone, "uv", "the name " + host + " is not resolved: " + why};
}

std::vector<IpAddress> addresses_of(const addrinfo* found) {
  std::vector<IpAddress> out;
  for (; found != nullptr && out.size() < ports::kNameAddressesMax; found = found->ai_next) {
    if (found->ai_family != AF_INET && found->ai_family != AF_INET6) continue;
    sockaddr_storage address = {};
    std::copy_n(reinterpret_cast<const char*>(found->ai_addr), found->ai_addrlen,
                reinterpret_cast<char*>(&address));
    const IpAddress one = to_endpoint(address).address;
    if (std::find(out.begin(), out.end(), one) == out.end()) out.push_back(one);
  }
  return out;
}

UvNameQuery::UvNameQuery(UvLoop& loop, ports::Timers& timers, std::string host,
                         ports::Names::Done done)
    : host_(std::move(host)),
      done_(std::move(done)),
      answer_(no_answer(host_, "no answer in time; check this machine's DNS")),
      timer_(timers.make([this] { on_time(); })) {
  begin(loop);
}

UvNameQuery::~UvNameQuery() { give_up(); }

void UvNameQuery::begin(UvLoop& loop) {
  const auto literal = IpAddress::parse(host_);
  if (literal) return answer_soon(std::vector<IpAddress>{*literal});
  if (host_.empty() || host_.size() > kHostMax || host_.find('\0') != std::string::npos) {
    return answer_soon(no_answer(host_.substr(0, kHostMax), "it is not a name"));
  }
  ask(loop);
}

void UvNameQuery::ask(UvLoop& loop) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_DGRAM;  // else each address comes once for each kind of socket
  auto lookup = std::make_unique<Lookup>();
  lookup->query = this;
  lookup->request.data = lookup.get();
  const int code =
      uv_getaddrinfo(loop.raw(), &lookup->request, on_lookup, host_.c_str(), nullptr, &hints);
  if (code != 0) return answer_soon(no_answer(host_, uv_reason(code)));
  lookup_ = lookup.release();
  timer_->start(kNameTimeMax);
}

void UvNameQuery::on_lookup(uv_getaddrinfo_t* request, int status, addrinfo* found) noexcept {
  const std::unique_ptr<Lookup> lookup(static_cast<Lookup*>(request->data));
  if (lookup->query != nullptr) {
    UvNameQuery& query = *std::exchange(lookup->query, nullptr);
    query.lookup_ = nullptr;
    std::vector<IpAddress> addresses = addresses_of(found);
    if (status == 0 && addresses.empty()) status = UV_EAI_NODATA;
    query.answer_soon(status == 0 ? Answer(std::move(addresses))
                                  : Answer(no_answer(query.host_, uv_reason(status))));
  }
  uv_freeaddrinfo(found);
}

void UvNameQuery::answer_soon(Answer answer) {
  answer_ = std::move(answer);
  timer_->start(Duration());
}

void UvNameQuery::give_up() {
  if (lookup_ == nullptr) return;
  lookup_->query = nullptr;
  uv_cancel(reinterpret_cast<uv_req_t*>(&lookup_->request));
  lookup_ = nullptr;
}

// The asker may destroy this.
void UvNameQuery::on_time() {
  give_up();
  const ports::Names::Done tell = done_;
  tell(std::move(answer_));
}

}  // namespace

std::unique_ptr<ports::NameQuery> UvNames::resolve(const std::string& host, Done done) {
  return std::make_unique<UvNameQuery>(loop_, timers_, host, std::move(done));
}

}  // namespace sluice::drivers
