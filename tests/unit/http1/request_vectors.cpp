#include "tests/unit/http1/request_vectors.h"

namespace sluice::testing {

namespace {

using namespace std::string_literals;

std::string post(const std::string& fields, const std::string& body) {
  return "POST /v1/x HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" + body;
}
std::string get(const std::string& target) {
  return "GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n";
}
std::string field(const std::string& line) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + line + "\r\n\r\n";
}
std::string host(const std::string& value) {
  return "GET / HTTP/1.1\r\nHost: " + value + "\r\n\r\n";
}
std::string chunked(const std::string& body) {
  return post("Transfer-Encoding: chunked\r\n", body);
}
std::string length(const std::string& value) {
  return post("Content-Length:" + value + "\r\n", "12345");
}
std::string coding(const std::string& value) {
  return post("Transfer-Encoding:" + value + "\r\n", "0\r\n\r\n");
}

void add_framing(std::vector<RequestVector>* all) {
  const std::vector<RequestVector> vectors = {
      {"1 length", length(" 5"), 0},
      {"1 length without blank", length("5"), 0},
      {"1 length leading zeros", post("Content-Length: 010\r\n", "1234567890"), 0},
      {"1 length zero", post("Content-Length: 0\r\n", ""), 0},
      {"1 length twenty zeros", post("Content-Length: 00000000000000000005\r\n", "12345"), 0},
      {"1 length and coding",
       post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
      {"1 coding and length",
       post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), 400},
      {"1 length twice equal", post("Content-Length: 5\r\nContent-Length: 5\r\n", "12345"), 400},
      {"1 length twice different", post("Content-Length: 5\r\ncontent-length: 6\r\n", "12345"),
       400},
      {"1 length list", length(" 5, 5"), 400},
      {"1 length plus", length(" +5"), 400},
      {"1 length minus", length(" -5"), 400},
      {"1 length hex", length(" 0x5"), 400},
      {"1 length underscore", length(" 5_0"), 400},
      {"1 length two numbers", length(" 5 5"), 400},
      {"1 length empty", length(""), 400},
      {"1 length blanks", length("   "), 400},
      {"1 length exponent", length(" 1e1"), 400},
      {"1 length 2^63", length(" 9223372036854775808"), 400},
      {"1 length 2^64", length(" 18446744073709551616"), 400},
      {"1 length 2^64+5", length(" 18446744073709551621"), 400},
      {"1 length vertical tab", length(" 5\x0b"), 400},
      {"1 coding", coding(" chunked"), 0},
      {"1 coding capitals", coding(" Chunked"), 0},
      {"1 coding tab", coding("\tchunked\t"), 0},
      {"1 coding chunked twice", coding(" chunked, chunked"), 400},
      {"1 coding leading comma", coding(" ,chunked"), 400},
      {"1 coding trailing comma", coding(" chunked,"), 400},
      {"1 coding identity", coding(" identity"), 501},
      {"1 coding xchunked", coding(" xchunked"), 501},
      {"1 coding glued", coding(" chunkedchunked"), 501},
      {"1 coding gzip", coding(" gzip"), 501},
      {"1 coding gzip first", coding(" gzip, chunked"), 501},
      {"1 coding gzip last", coding(" chunked, gzip"), 400},
      {"1 coding vertical tab", coding(" chunked\x0b"), 400},
      {"1 coding no-break blank",
       coding(" \xa0"
              "chunked"),
       400},
      {"1 coding quoted", coding(" \"chunked\""), 400},
      {"1 coding parameter", coding(" chunked;q=1"), 400},
      {"1 coding empty", coding(""), 400},
      {"1 coding two lines",
       post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
      {"1 coding blank before colon", post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), 400},
      {"1 coding folded", post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"), 400},
      {"1 coding in 1.0",
       "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
  };
  all->insert(all->end(), vectors.begin(), vectors.end());
}

void add_chunks(std::vector<RequestVector>* all) {
  const std::vector<RequestVector> vectors = {
      {"2 two chunks", chunked("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"), 0},
      {"2 empty body", chunked("0\r\n\r\n"), 0},
      {"2 hex both cases", chunked("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n"), 0},
      {"2 last chunk of zeros", chunked("00000\r\n\r\n"), 0},
      {"2 sixteen digits", chunked("0000000000000001\r\nx\r\n0\r\n\r\n"), 0},
      {"2 seventeen digits", chunked("00000000000000001\r\nx\r\n0\r\n\r\n"), 400},
      {"2 size overflow", chunked("ffffffffffffffff\r\nx\r\n0\r\n\r\n"), 400},
      {"2 size 0x", chunked("0x5\r\nhello\r\n0\r\n\r\n"), 400},
      {"2 size plus", chunked("+5\r\nhello\r\n0\r\n\r\n"), 400},
      {"2 size minus", chunked("-1\r\nhello\r\n0\r\n\r\n"), 400},
      {"2 size blank behind", chunked("5 \r\nhello\r\n0\r\n\r\n"), 400},
      {"2 size blank before", chunked(" 5\r\nhello\r\n0\r\n\r\n"), 400},
      {"2 size underscore", chunked("5_2\r\nhello\r\n0\r\n\r\n"), 400},
      {"2 size empty", chunked("\r\nhello\r\n0\r\n\r\n"), 400},
      {"2 size only extension", chunked(";a=b\r\nhello\r\n0\r\n\r\n"), 400},
      {"2 size line too long", chunked("5;" + std::string(256, 'x') + "\r\nhello\r\n0\r\n\r\n"),
       400},
      {"2 extension", chunked("5;a\r\nhello\r\n0;b=c;d=\"e \\\" f\"\r\n\r\n"), 0},
      {"2 extension bare CR", chunked("5;a\rb\r\nhello\r\n0\r\n\r\n"), 400},
      {"2 extension bare LF", chunked("5;a\nhello\r\n0\r\n\r\n"), 400},
      {"2 extension open quote", chunked("5;a=\"b\r\nhello\r\n0\r\n\r\n"), 400},
      {"2 extension without name", chunked("5;\r\nhello\r\n0\r\n\r\n"), 400},
      {"2 extension without value", chunked("5;a=\r\nhello\r\n0\r\n\r\n"), 400},
      {"2 extension control", chunked("5;a\x01\r\nhello\r\n0\r\n\r\n"), 400},
      {"2 data without end", chunked("5\r\nhello0\r\n\r\n"), 400},
      {"2 data longer", chunked("5\r\nhello!\r\n0\r\n\r\n"), 400},
      {"2 data ends with LF", chunked("5\r\nhello\n0\r\n\r\n"), 400},
      {"2 data ends with CR", chunked("5\r\nhello\r0\r\n\r\n"), 400},
      {"2 size ends with LF", chunked("5\nhello\r\n0\r\n\r\n"), 400},
      {"2 size ends with CR", chunked("5\rhello\r\n0\r\n\r\n"), 400},
      {"2 rubbish after last", chunked("0\r\nXX\r\n\r\n"), 400},
      {"2 last ends with LF", chunked("0\r\n\n"), 400},
      {"2 trailers dropped", chunked("0\r\nX-Sum: 1\r\nY:\r\n\r\n"), 0},
      {"2 trailer length", chunked("0\r\nContent-Length: 5\r\n\r\n"), 400},
      {"2 trailer coding", chunked("0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400},
      {"2 trailer host", chunked("0\r\nHost: b\r\n\r\n"), 400},
      {"2 trailer folded", chunked("0\r\nX: 1\r\n 2\r\n\r\n"), 400},
      {"2 trailer LF", chunked("0\r\nX: 1\n\r\n"), 400},
      {"2 trailers too large", chunked("0\r\nX: " + std::string(8 * 1024, 'x') + "\r\n\r\n"), 400},
  };
  all->insert(all->end(), vectors.begin(), vectors.end());
  std::string many;
  for (int i = 0; i < 50; ++i) many += "1;" + std::string(100, 'e') + "\r\nx\r\n";
  all->push_back({"2 extensions too large", chunked(many + "0\r\n\r\n"), 400});
}

void add_lines(std::vector<RequestVector>* all) {
  std::string hundred;
  for (int i = 0; i < 99; ++i) hundred += "X: " + std::to_string(i) + "\r\n";
  const std::vector<RequestVector> vectors = {
      {"3 bare LF", "GET / HTTP/1.1\nHost: a\n\n", 400},
      {"3 bare LF in field", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400},
      {"3 bare LF at the end", "GET / HTTP/1.1\r\nHost: a\r\n\n", 400},
      {"3 bare CR", "GET / HTTP/1.1\rHost: a\r\r", 400},
      {"3 bare CR in field", field("X: a\rb"), 400},
      {"3 CR CR LF", "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", 400},
      {"3 LF CR LF", "GET / HTTP/1.1\r\nHost: a\n\r\n", 400},
      {"3 NUL in value", field("X: a\0b"s), 400},
      {"3 NUL in name", field("X\0Y: b"s), 400},
      {"3 NUL in target", get("/a\0b"s), 400},
      {"3 control", field("X: a\x01"), 400},
      {"3 delete", field("X: a\x7f"), 400},
      {"3 escape", field("X: \x1b[2J"), 400},
      {"3 tab in value", field("X: a\tb"), 0},
      {"3 obs-text in value", field("X: \xe4\xbd\xa0"), 0},
      {"3 empty value", field("X:"), 0},
      {"3 folded", field("X: a\r\n b"), 400},
      {"3 folded with tab", field("X: a\r\n\tb"), 400},
      {"3 one empty line before", "\r\n" + get("/"), 0},
      {"3 two empty lines before", "\r\n\r\n" + get("/"), 400},
      {"3 LF before", "\n" + get("/"), 400},
      {"3 CR before", "\r" + get("/"), 400},
      {"3 blank before first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
      {"3 blank line of blanks", "GET / HTTP/1.1\r\nHost: a\r\n \r\n\r\n", 400},
      {"3 blank before colon", field("X : a"), 400},
      {"3 tab before colon", field("X\t: a"), 400},
      {"3 no colon", field("X"), 400},
      {"3 empty name", field(": a"), 400},
      {"3 name with parenthesis", field("X(: a"), 400},
      {"3 name with slash", field("X/Y: a"), 400},
      {"3 name with quote", field("X\": a"), 400},
      {"3 name with brace", field("X{}: a"), 400},
      {"3 name with at", field("X@: a"), 400},
      {"3 name not ASCII", field("X\xe4: a"), 400},
      {"3 hundred fields", "GET / HTTP/1.1\r\nHost: a\r\n" + hundred + "\r\n", 0},
      {"3 too many fields", "GET / HTTP/1.1\r\nHost: a\r\n" + hundred + "Y: 1\r\n\r\n", 431},
      {"3 field of 16 KiB", field("X: " + std::string(16 * 1024 - 3, 'x')), 0},
      {"3 field too long", field("X: " + std::string(16 * 1024 - 2, 'x')), 431},
      {"3 start line of 8 KiB", get("/" + std::string(8 * 1024 - 14, 'x')), 0},
      {"3 start line too long", get("/" + std::string(8 * 1024 - 13, 'x')), 414},
      {"3 endless start line", std::string(9 * 1024, 'G'), 414},
      {"3 TLS hello", "\x16\x03\x01\x02\x05\x01", 400},
  };
  all->insert(all->end(), vectors.begin(), vectors.end());
  const std::string big = "X: " + std::string(15 * 1024, 'x') + "\r\n";
  all->push_back({"3 head too large", field(big + big + big + big + big + "Y: 1"), 431});
}

void add_start_lines(std::vector<RequestVector>* all) {
  const std::vector<RequestVector> vectors = {
      {"4 no version", "GET /\r\nHost: a\r\n\r\n", 400},
      {"4 HTTP/0.9", "GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505},
      {"4 HTTP/9.9", "GET / HTTP/9.9\r\nHost: a\r\n\r\n", 505},
      {"4 HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
      {"4 HTTP/1.10", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400},
      {"4 HTTP/01.1", "GET / HTTP/01.1\r\nHost: a\r\n\r\n", 400},
      {"4 HTTP/1", "GET / HTTP/1\r\nHost: a\r\n\r\n", 400},
      {"4 version overflow", "GET / HTTP/4294967297.1\r\nHost: a\r\n\r\n", 400},
      {"4 lower-case version", "GET / http/1.1\r\nHost: a\r\n\r\n", 400},
      {"4 other protocol", "GET / ICE/1.0\r\nHost: a\r\n\r\n", 400},
      {"4 HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"4 lower-case method", "get / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"4 method of 1 KiB", std::string(1024, 'M') + " / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
      {"4 method with colon", "GE:T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"4 no method", " / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"4 unknown method", "M-SEARCH / HTTP/1.1\r\nHost: a\r\n\r\n", 0},
      {"4 tabs", "GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"4 two blanks", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"4 two blanks behind", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"4 blank at the end", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
      {"4 blank in target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"4 absolute form", get("http://b/"), 400},
      {"4 authority form", get("b:80"), 400},
      {"4 connect", "CONNECT b:80 HTTP/1.1\r\nHost: b\r\n\r\n", 400},
      {"4 star with GET", get("*"), 400},
      {"4 star with OPTIONS", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 0},
      {"4 fragment", get("/a#b"), 400},
      {"4 query", get("/a?b=c&d=%20?/.."), 0},
      {"4 brackets", get("/a?include[]=b"), 0},
      {"4 escaped NUL", get("/a%00b"), 400},
      {"4 escaped NUL in query", get("/a?b=%00"), 400},
      {"4 escaped CR LF", get("/a%0d%0ab"), 400},
      {"4 half an escape", get("/a%4"), 400},
      {"4 strange escape", get("/a%zz"), 400},
      {"4 dot segment", get("/a/../b"), 400},
      {"4 dot segment at the end", get("/a/.."), 400},
      {"4 single dot", get("/./a"), 400},
      {"4 escaped dots", get("/a/%2e%2E/b"), 400},
      {"4 escaped slash and dots", get("/a%2f..%2fb"), 400},
      {"4 escaped backslash and dots", get("/a%5c..%5cb"), 400},
      {"4 dots that are no segment", get("/v1/models/qwen2.5...x/.hidden"), 0},
      {"4 escaped blank", get("/a%20b"), 0},
      {"4 escaped UTF-8", get("/%e4%bd%a0"), 0},
      {"4 overlong UTF-8", get("/%c0%ae%c0%ae/"), 400},
      {"4 overlong UTF-8 of three", get("/%e0%80%ae"), 400},
      {"4 overlong UTF-8 of four", get("/%f0%80%80%ae"), 400},
      {"4 raw UTF-8", get("/\xe4\xbd\xa0"), 400},
      {"4 backslash", get("/a\\b"), 400},
      {"4 quote", get("/a\"b"), 400},
  };
  all->insert(all->end(), vectors.begin(), vectors.end());
}

void add_hosts_and_connections(std::vector<RequestVector>* all) {
  std::string pipelined;
  for (int i = 0; i < 100; ++i) pipelined += get("/" + std::to_string(i));
  const std::string one = "GET / HTTP/1.0\r\n";
  const std::vector<RequestVector> vectors = {
      {"5 missing", "GET / HTTP/1.1\r\n\r\n", 400},
      {"5 missing in 1.0", one + "\r\n", 0},
      {"5 two", field("Host: a"), 400},
      {"5 two in 1.0", one + "Host: a\r\nHost: a\r\n\r\n", 400},
      {"5 empty", host(""), 400},
      {"5 user", host("u@a"), 400},
      {"5 path", host("a/b"), 400},
      {"5 list", host("a, b"), 400},
      {"5 blank inside", host("a b"), 400},
      {"5 port", host("box.local:8443"), 0},
      {"5 empty port", host("a:"), 400},
      {"5 port too large", host("a:65536"), 400},
      {"5 port of letters", host("a:b"), 400},
      {"5 address", host("192.168.0.1:80"), 0},
      {"5 address of six", host("[fe80::1]:80"), 0},
      {"5 open bracket", host("[fe80::1"), 400},
      {"5 text after bracket", host("[::1]x"), 400},
      {"5 escape", host("a%2e"), 400},
      {"5 not ASCII", host("\xe4\xbd\xa0"), 400},
      {"6 hundred in a row", pipelined, 0, 100},
      {"6 two with bodies", post("Content-Length: 5\r\n", "12345") + chunked("1\r\nx\r\n0\r\n\r\n"),
       0, 2},
      {"6 rubbish after a body", post("Content-Length: 5\r\n", "12345garbage\r\n\r\n"), 400},
      {"6 continue", post("Expect: 100-continue\r\nContent-Length: 5\r\n", "12345"), 0},
      {"6 other expectation", post("Expect: 200-ok\r\nContent-Length: 5\r\n", "12345"), 417},
      {"6 expectation in 1.0", one + "Expect: 200-ok\r\n\r\n", 0},
      {"6 upgrade ignored", field("Connection: Upgrade\r\nUpgrade: h2c"), 0},
  };
  all->insert(all->end(), vectors.begin(), vectors.end());
}

}  // namespace

std::vector<RequestVector> request_vectors() {
  std::vector<RequestVector> all;
  add_framing(&all);
  add_chunks(&all);
  add_lines(&all);
  add_start_lines(&all);
  add_hosts_and_connections(&all);
  return all;
}

}  // namespace sluice::testing
