#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "tests/unit/curl/curl_world.h"

using namespace sluice;
using drivers::CurlClient;
using tests::Heard;
using tests::World;

namespace {

struct Child {  // a program, ended by its id
  pid_t pid = -1;
  int in = -1;   // we write
  int out = -1;  // we read

  explicit Child(std::vector<std::string> words) {
    int to_child[2];
    int from_child[2];
    REQUIRE(pipe(to_child) == 0);
    REQUIRE(pipe(from_child) == 0);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, to_child[0], 0);
    posix_spawn_file_actions_adddup2(&files, from_child[1], 1);
    posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
    for (int fd : {to_child[0], to_child[1], from_child[0], from_child[1]}) {
      posix_spawn_file_actions_addclose(&files, fd);
    }
    std::vector<char*> args;
    for (std::string& word : words) args.push_back(word.data());
    args.push_back(nullptr);
    REQUIRE(posix_spawnp(&pid, args[0], &files, nullptr, args.data(), environ) == 0);
    posix_spawn_file_actions_destroy(&files);
    close(to_child[0]);
    close(from_child[1]);
    in = to_child[1];
    out = from_child[0];
  }
  ~Child() {
    if (pid > 0) {
      kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
    }
    close(in);
    close(out);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  int wait() {
    int status = -1;
    waitpid(pid, &status, 0);
    pid = -1;
    return status;
  }
  std::string read_until(std::string_view word) {
    std::string all;
    while (all.find(word) == std::string::npos || all.back() != '\n') {
      pollfd ready{out, POLLIN, 0};
      REQUIRE(poll(&ready, 1, 20000) == 1);
      char c = 0;
      REQUIRE(read(out, &c, 1) == 1);
      all += c;
    }
    return all;
  }
};

struct TlsServer {  // a throw-away certificate for localhost, and a server that shows it
  std::string folder = make_folder();
  std::string certificate = folder + "/certificate.pem";
  std::unique_ptr<Child> server;
  uint16_t port = 0;

  static std::string make_folder() {
    std::string name = "/tmp/sluice-tls-XXXXXX";
    REQUIRE(mkdtemp(name.data()) != nullptr);
    return name;
  }
  TlsServer() {
    const std::string key = folder + "/key.pem";
    Child maker({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                 "-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj",
                 "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"});
    REQUIRE(maker.wait() == 0);
    server = std::make_unique<Child>(std::vector<std::string>{"openssl", "s_server", "-accept",
                                                              "127.0.0.1:0", "-www", "-cert",
                                                              certificate, "-key", key});
    const std::string said = server->read_until("ACCEPT 127.0.0.1:");
    port = static_cast<uint16_t>(std::atoi(said.c_str() + said.rfind(':') + 1));
    REQUIRE(port != 0);
  }
  ~TlsServer() { std::filesystem::remove_all(folder); }

  ports::HttpCallSpec spec(const std::string& host, const std::string& method) const {
    ports::HttpCallSpec spec;
    spec.origin.tls = true;
    spec.origin.address = {host, port, ""};
    spec.origin.authority = spec.origin.address.text();
    spec.method = method;
    spec.target = "/";
    return spec;
  }
};

}  // namespace

TEST_CASE("curl: TLS works with the CA file that signed the peer") {
  TlsServer server;
  World world;
  CurlClient client(world.loop.raw(), server.certificate);
  for (int i = 0; i < 2; ++i) {  // the second may resume the first's session
    Heard heard(world);
    auto call = client.call(server.spec("localhost", "GET"), heard);
    world.run();
    REQUIRE_MESSAGE(heard.events.back() == "end", heard.failure.error.text);
    CHECK(heard.head.status == 200);
    CHECK(heard.body.find("s_server") != std::string::npos);
  }
}

TEST_CASE("curl: an unknown CA and a wrong name are refused") {
  TlsServer server;
  for (const bool known_ca : {false, true}) {
    World world;
    CurlClient client(world.loop.raw(), known_ca ? server.certificate : "");
    Heard heard(world);
    auto call = client.call(server.spec(known_ca ? "127.0.0.1" : "localhost", "GET"), heard);
    world.run();
    REQUIRE(heard.events == std::vector<std::string>{"fail"});
    CHECK(heard.failure.error.kind == ErrorKind::broken);
    CHECK(heard.failure.stage == ports::HttpFailure::Stage::connect);
    INFO(heard.failure.error.text);
    CHECK(heard.failure.error.text.find("certificate is not trusted") != std::string::npos);
  }
}

TEST_CASE("curl: a CA file that is not there is named as the fault") {
  TlsServer server;
  World world;
  CurlClient client(world.loop.raw(), server.folder + "/none.pem");
  Heard heard(world);
  auto call = client.call(server.spec("localhost", "GET"), heard);
  world.run();
  REQUIRE(heard.events == std::vector<std::string>{"fail"});
  CHECK(heard.failure.error.kind == ErrorKind::refused);
  CHECK(heard.failure.error.text.find("CA certificates") != std::string::npos);
}

TEST_CASE("curl: TLS to a port that speaks plain HTTP fails and says so") {
  World world;
  world.on_request = [](tests::Peer&) {};
  CurlClient client(world.loop.raw());
  Heard heard(world);
  auto spec = world.spec("GET", "/");
  spec.origin.tls = true;
  auto call = client.call(spec, heard);
  while (world.peers.empty() || world.peers[0]->stream == nullptr) world.run_for(Duration::ms(5));
  world.peers[0]->answer("HTTP/1.1 400 Bad Request\r\n\r\n");
  world.run();
  CHECK(heard.failure.error.kind == ErrorKind::broken);
  CHECK(heard.failure.error.text.find("no TLS connection") != std::string::npos);
}
