#include "support/stranger.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>

namespace pgqrs::testing {

Stranger::Stranger(const std::string& answer)
    : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(socket_, generic, size) != 0 || listen(socket_, 16) != 0 ||
      getsockname(socket_, generic, &size) != 0) {
    throw std::runtime_error("cannot listen");
  }
  port_ = ntohs(address.sin_port);
  if (!answer.empty()) thread_ = std::thread([this, answer] { Answer(answer); });
}

Stranger::~Stranger() {
  shutdown(socket_, SHUT_RDWR);
  if (thread_.joinable()) thread_.join();
  close(socket_);
}

void Stranger::Answer(const std::string& answer) const {
  for (;;) {
    const int connection = accept(socket_, nullptr, nullptr);
    if (connection < 0) return;
    EXPECT_GT(send(connection, answer.data(), answer.size(), MSG_NOSIGNAL), 0);
    // What is not read would reset the connection before its other end has the answer.
    shutdown(connection, SHUT_WR);
    char buffer[256];
    while (read(connection, buffer, sizeof(buffer)) > 0) continue;
    close(connection);
  }
}

}  // namespace pgqrs::testing
