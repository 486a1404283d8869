#include "cli/interrupts.h"

#include <ctime>

#include <pthread.h>
#include <unistd.h>

#include "cli/exit_status.h"

namespace muster::cli {
namespace {

// As nohup(1) wants it, and a shell for what it starts in the background.
bool ignored(int number) {
  struct sigaction action {};
  return ::sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

Interrupts::Interrupts() {
  ::signal(SIGPIPE, SIG_IGN);
  sigemptyset(&signals_);
  for (const int number : {SIGINT, SIGTERM, SIGHUP})
    if (number == SIGTERM || !ignored(number)) sigaddset(&signals_, number);
  ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  thread_ = std::jthread([this](const std::stop_token& stop) { listen(stop); });
}

Interrupts::~Interrupts() {
  thread_.request_stop();
  // It is blocked there: it wakes sigwaitinfo, which sees the stop request first.
  ::pthread_kill(thread_.native_handle(), SIGTERM);  // NOLINT(bugprone-bad-signal-to-kill-thread)
}

void Interrupts::give_up() {
  drain_.request_stop();
  abort_.request_stop();
}

void Interrupts::on_interrupt(std::function<void(int)> callback) {
  const std::lock_guard lock(mutex_);
  callback_ = std::move(callback);
}

void Interrupts::listen(const std::stop_token& stop) {
  for (int interrupts = 0;;) {
    siginfo_t info{};
    const int number = ::sigwaitinfo(&signals_, &info);
    if (stop.stop_requested()) return;
    if (number < 0) continue;
    signalled_ = true;
    if (number != SIGINT) {
      give_up();
      continue;
    }
    ++interrupts;
    if (interrupts >= 3) ::_exit(kInterrupted);
    drain_.request_stop();
    if (interrupts == 2) abort_.request_stop();
    const std::lock_guard lock(mutex_);
    if (callback_) callback_(interrupts);
  }
}

}  // namespace muster::cli
