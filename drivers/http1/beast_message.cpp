// A failing assertion of Beast would end the daemon at a peer's wish (an empty chunked body split
// after `0\r\n` is known to do it); the parser works without them.
#define BOOST_DISABLE_ASSERTS
#include "drivers/http1/beast_message.h"

#include <boost/beast/http/basic_parser.hpp>
#include <limits>

namespace sluice::drivers {

namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;

template <bool kIsRequest, class Head>
class BeastReader final : public http::basic_parser<kIsRequest> {
 public:
  explicit BeastReader(Head* head) : head_(head) {}

  bool read(std::string_view raw) {
    this->skip(true);  // the message ends with its head
    this->header_limit(std::numeric_limits<uint32_t>::max());
    beast::error_code error;
    const size_t used = this->put(boost::asio::const_buffer(raw.data(), raw.size()), error);
    return !error && used == raw.size() && this->is_done();
  }

 private:
  static std::string_view own(beast::string_view text) { return {text.data(), text.size()}; }

  void on_request_impl(http::verb, beast::string_view method, beast::string_view target,
                       int version, beast::error_code&) override {
    if constexpr (kIsRequest) {
      head_->method = own(method);
      head_->target = own(target);
      head_->minor_version = version - 10;
    }
  }
  void on_response_impl(int status, beast::string_view, int, beast::error_code&) override {
    if constexpr (!kIsRequest) head_->status = status;
  }
  void on_field_impl(http::field, beast::string_view name, beast::string_view value,
                     beast::error_code&) override {
    head_->fields.add(own(name), own(value));
  }
  void on_header_impl(beast::error_code&) override {}
  void on_finish_impl(beast::error_code&) override {}

  // Bodies never come here.
  void on_body_init_impl(const boost::optional<uint64_t>&, beast::error_code&) override {}
  size_t on_body_impl(beast::string_view bytes, beast::error_code&) override {
    return bytes.size();
  }
  void on_chunk_header_impl(uint64_t, beast::string_view, beast::error_code&) override {}
  size_t on_chunk_body_impl(uint64_t, beast::string_view bytes, beast::error_code&) override {
    return bytes.size();
  }

  Head* const head_;
};

}  // namespace

bool read_request_head(std::string_view raw, int fields, ports::HttpRequestHead* head) {
  *head = {};
  head->fields.reserve(static_cast<size_t>(fields));
  return BeastReader<true, ports::HttpRequestHead>(head).read(raw);
}

bool read_response_head(std::string_view raw, int fields, ports::HttpResponseHead* head) {
  *head = {};
  head->fields.reserve(static_cast<size_t>(fields));
  return BeastReader<false, ports::HttpResponseHead>(head).read(raw);
}

}  // namespace sluice::drivers
