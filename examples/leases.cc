// Leases: a message is held for a time, given back or kept longer, and never by two at once.
#include <pgqrs/pgqrs.h>

#include <atomic>
#include <chrono>
#include <iostream>

int main() {
  using std::chrono::minutes;
  using std::chrono::seconds;

  // A clock that the program sets, so that nobody has to wait here.
  std::atomic<pgqrs::TimePoint> now(pgqrs::TimePoint(std::chrono::hours(24 * 20'000)));
  pgqrs::Config config("sqlite::memory:");
  config.clock = [&now] { return now.load(); };
  auto store = pgqrs::PgqrsStore::Connect(config);
  auto queue = store.Queue("jobs");
  queue.Enqueue("job");

  // Given back before the end of the lease: for another to take, here after five seconds.
  auto message = queue.Dequeue(seconds(30));
  message->Release(seconds(5));
  std::cout << "at once: " << (queue.Dequeue() ? "there" : "not there") << "\n";
  now = now.load() + seconds(5);
  auto slow = queue.Dequeue(seconds(30));
  std::cout << "after 5 s: " << (slow ? "there" : "not there") << "\n";

  // Kept for longer. (A QueueWorker does so by itself while its handler runs.)
  slow->ExtendLease(minutes(5));
  now = now.load() + minutes(4);
  std::cout << "under its lease: " << (queue.Dequeue() ? "there" : "not there") << "\n";

  // The lease runs out, and the next consumer gets the message. The first may still believe that it
  // has it, but whatever it does is refused: it answers false and changes nothing.
  now = now.load() + minutes(2);
  auto other = queue.Dequeue();
  std::cout << "delivery number " << other->read_count() << "\n";
  std::cout << "ack by the slow one: " << (slow->Ack() ? "done" : "refused") << "\n";
  std::cout << "ack by the other one: " << (other->Ack() ? "done" : "refused") << "\n";
}
