// A running load allocates nothing per connection: the allocations of a thread are counted.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <new>
#include <string>

#include "tests/trial.h"

namespace {

thread_local std::uint64_t allocations = 0;

}  // namespace

#ifdef __SANITIZE_ADDRESS__

// AddressSanitizer brings its own allocator, and calls this for each allocation (LLVM's
// sanitizer/allocator_interface.h, which GCC does not install).
extern "C" void __sanitizer_malloc_hook(const volatile void*, std::size_t) { ++allocations; }

#else

// The program's own operator new (C++20, [new.delete.single]); all other forms of new call it.
void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size > 0 ? size : 1)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

#endif

namespace ringchurn {
namespace {

TEST(Allocations, AreCounted) {
  const std::uint64_t before = allocations;
  ::operator delete(::operator new(8));  // no new-expression: a compiler may leave those out
  EXPECT_EQ(allocations, before + 1);
}

/// How often a new worker allocates while it plays `connections` of all built-in scenarios.
std::uint64_t allocations_of(const Lab& lab, std::uint64_t connections) {
  Trial trial(lab, ordinary_builtins(), {.concurrency = 64, .moments = MomentLog::kRoom});
  const std::uint64_t before = allocations;
  trial.play(connections);
  return allocations - before;
}

TEST(Allocations, DoNotGrowWithTheNumberOfConnections) {
  if (const std::string refusal = refusal_of_a_trial(); !refusal.empty()) GTEST_SKIP() << refusal;
  const std::string answer = in_lab([](const Lab& lab) {
    const std::uint64_t few = allocations_of(lab, 1'000);
    const std::uint64_t many = allocations_of(lab, 10'000);
    return many > few ? fmt::format("{} with 1,000, {} with 10,000", few, many) : "";
  });
  EXPECT_EQ(answer, "");
}

}  // namespace
}  // namespace ringchurn
