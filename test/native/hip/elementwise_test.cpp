// cast, fill, copyColumns, add, the rows of tables, and the copies in and out, against the CPU.
#include "device.h"

using namespace aurora;
using namespace aurora::test;

namespace {

constexpr DType kTypes[] = {DType::f32, DType::bf16, DType::i32, DType::u16, DType::u8};

void testConversions() {
  const int64_t size = between(1, 3000);
  for (DType from : kTypes) {
    const double mean = from == DType::u16 ? 2e4 : from == DType::u8 ? 100 : 0, std = isFloat(from) ? 300 : from == DType::i32 ? 1e8 : mean / 3;
    Numbers x = Numbers::normal(from, {size + 20}, mean, std);
    if (isFloat(from)) {
      const double specials[] = {1e30, -1e30, 2147483648.0, -2147483648.0, INFINITY, -INFINITY, 65535.5, -0.5, 255.9, NAN};
      for (size_t i = 0; i < std::size(specials); ++i) x.set(static_cast<int64_t>(i), specials[i]);
    } else if (from == DType::i32) {
      x.set(0, 0x01010101);  // rounded to f32 first, this would round to the wrong bf16
      x.set(1, INT32_MIN);
      x.set(2, INT32_MAX);
    }
    for (DType to : kTypes)
      for (int64_t offset : {0, 1})
        agree(std::string("cast from ") + name(from) + " to " + name(to), [&](Bench& bench) {
          View source = bench.tensor(x), target = bench.tensor(Numbers(to, {size}));
          source.data = static_cast<std::byte*>(source.data) + offset * static_cast<int64_t>(byteSize(from));
          source.shape = {size};
          bench.backend().cast(bench.stream(), {source, target});
          return Outputs{bench.read(target)};
        });
    agree(std::string("read and write as another type: ") + name(from), [&](Bench& bench) {
      Outputs outputs;
      for (WireType wire : {WireType::f32, WireType::bf16, WireType::i32, WireType::f16}) {
        const View view = bench.tensor(x), back = bench.tensor(Numbers(from, x.shape));
        std::vector<std::byte> host(static_cast<size_t>(x.size()) * byteSize(wire));
        bench.backend().read(bench.stream(), view, host.data(), wire);
        bench.stream().drain();
        Numbers raw(DType::u8, {static_cast<int64_t>(host.size())});
        std::memcpy(raw.bytes.data(), host.data(), host.size());
        if (wire == WireType::i32 || !isFloat(from)) outputs.push_back(raw);  // NaN's bits are free
        bench.backend().write(bench.stream(), back, host.data(), wire);
        outputs.push_back(bench.read(back));
      }
      return outputs;
    });
  }
}

/// Every half, both ways, bit for bit but for NaN's.
void testHalves() {
  Numbers halves(DType::u16, {65536});
  for (int64_t i = 0; i < 65536; ++i) halves.set(i, static_cast<double>(i));
  agree("halves", [&](Bench& bench) {
    const View y = bench.tensor(Numbers(DType::f32, {65536}));
    bench.backend().write(bench.stream(), y, halves.bytes.data(), WireType::f16);
    Numbers values = bench.read(y), back(DType::u16, {65536});
    bench.backend().read(bench.stream(), y, back.bytes.data(), WireType::f16);
    bench.stream().drain();
    for (int64_t i = 0; i < 65536; ++i)
      if (std::isnan(values[i])) back.set(i, 0);
    return Outputs{values, back};
  });
  Numbers floats = Numbers::make(DType::f32, {60000}, [](int64_t i) { return std::ldexp(static_cast<double>(between(1 << 23, 1 << 24)), static_cast<int>(i % 48) - 50); });
  agree("floats as halves", [&](Bench& bench) {
    Numbers found(DType::u16, floats.shape);
    bench.backend().read(bench.stream(), bench.tensor(floats), found.bytes.data(), WireType::f16);
    bench.stream().drain();
    return Outputs{found};
  });
}

/// Larger than the page-locked memory that copies pass through.
void testLargeCopy() {
  const Numbers x = Numbers::make(DType::i32, {(5 << 20) / 2 + 17}, [](int64_t i) { return static_cast<double>(i); });
  agree("a large copy", [&](Bench& bench) { return Outputs{bench.read(bench.tensor(x))}; });
}

void testFillAddCopy() {
  for (DType type : kTypes)
    for (double value : {0.0, 2.5, -7.0, 3e9, static_cast<double>(NAN)})
      agree(std::string("fill ") + name(type), [&](Bench& bench) {
        const View y = bench.tensor(Numbers(type, {between(1, 1000)}));
        bench.backend().fill(bench.stream(), {y, value});
        Numbers read = bench.read(y);
        return Outputs{Numbers::make(type, {1}, [&](int64_t) { return read[0]; })};
      });
  for (DType type : kFloats) {
    const int64_t size = between(1, 5000);
    const Numbers a = Numbers::normal(type, {size}), b = Numbers::normal(type, {size});
    for (bool both : {true, false})
      agree(std::string("add ") + name(type), [&](Bench& bench) {
        const View left = bench.tensor(a), right = bench.tensor(b), y = bench.tensor(Numbers(type, {size}));
        bench.backend().add(bench.stream(), {left, 0.75, both ? right : View{}, -1.5, y});
        bench.backend().add(bench.stream(), {left, 0.75, both ? right : View{}, -1.5, left});
        return Outputs{bench.read(y), bench.read(left)};
      }, type == DType::f32 ? 1e-6 : 0);
  }
  for (DType type : kTypes) {
    const int64_t rows = between(1, 60), wide = between(1, 70), narrow = between(1, wide), from = between(0, wide - narrow), room = between(0, 5), to = between(0, room);
    const Numbers x = Numbers::make(type, {rows, wide}, [](int64_t) { return static_cast<double>(between(0, 200)); }), y = Numbers::filled(type, {rows, narrow + room}, 7);
    agree(std::string("copyColumns ") + name(type), [&](Bench& bench) {
      const View target = bench.tensor(y);
      bench.backend().copyColumns(bench.stream(), {bench.tensor(x), from, target, to, narrow});
      return Outputs{bench.read(target)};
    });
  }
}

void testRows() {
  const int64_t table = between(2, 40), count = between(1, 700), width = between(1, 50);
  const Numbers rows = Numbers::indices({count}, table), others = Numbers::indices({count}, table);
  for (DType type : kFloats) {
    const Numbers x = Numbers::normal(type, {table, width}), positions = Numbers::normal(type, {table, width}), dy = Numbers::normal(type, {count, width});
    agree(std::string("rows ") + name(type), [&](Bench& bench) {
      const View y = bench.tensor(Numbers(type, {count, width})), dx = bench.tensor(Numbers(type, {table, width})), h = bench.tensor(Numbers(type, {count, width}));
      const View dtokens = bench.tensor(Numbers::filled(DType::f32, {table, width}, 0.5)), dpositions = bench.tensor(Numbers::filled(DType::f32, {table, width}, -1));
      const View index = bench.tensor(rows), other = bench.tensor(others), given = bench.tensor(x), gradient = bench.tensor(dy);
      bench.backend().gatherRows(bench.stream(), {given, index, y});
      bench.backend().gatherRowsBackward(bench.stream(), {gradient, index, dx});
      bench.backend().embedding(bench.stream(), {index, other, given, bench.tensor(positions), h});
      bench.backend().embeddingBackward(bench.stream(), {gradient, index, other, dtokens, dpositions});
      return Outputs{bench.read(y), bench.read(dx), bench.read(h), bench.read(dtokens), bench.read(dpositions)};
    });
  }
  // Wider than the columns of one block.
  const Numbers few = Numbers::indices({9}, 3), wide = Numbers::normal(DType::bf16, {9, 4500});
  agree("wide rows", [&](Bench& bench) {
    const View dx = bench.tensor(Numbers(DType::bf16, {3, 4500}));
    bench.backend().gatherRowsBackward(bench.stream(), {bench.tensor(wide), bench.tensor(few), dx});
    return Outputs{bench.read(dx)};
  });
}

void testBadIndices() {
  const int64_t table = 10, count = 500;
  Numbers rows = Numbers::indices({count}, table), good = rows;
  const int64_t at = between(0, 300);
  rows.set(at + 150, 12);
  rows.set(at, -3);
  const Numbers x = Numbers::normal(DType::f32, {table, 4});
  for (bool first : {true, false})
    agree("bad indices", [&](Bench& bench) {
      const View y = bench.tensor(Numbers(DType::f32, {count, 4}));
      // Beyond the fault words of a stream, each call has one of its own.
      for (int i = 0; i < 150; ++i) bench.backend().gatherRows(bench.stream(), {bench.tensor(x), bench.tensor(good), y});
      bench.stream().callerStack = "the caller";
      bench.backend().embedding(bench.stream(), {bench.tensor(first ? rows : good), bench.tensor(rows), bench.tensor(x), bench.tensor(x), y});
      bench.backend().gatherRows(bench.stream(), {bench.tensor(x), bench.tensor(rows), y});
      return Outputs{};
    });

  Bench bench(hip::open(0));
  const View y = bench.tensor(Numbers(DType::f32, {count, 4}));
  bench.stream().callerStack = "the caller";
  bench.backend().gatherRows(bench.stream(), {bench.tensor(x), bench.tensor(rows), y});
  bench.stream().drain();
  const auto error = bench.stream().takeError();
  check(error && error->operation == "gatherRows", "the failure names its operation");
  bench.backend().gatherRows(bench.stream(), {bench.tensor(x), bench.tensor(good), y});
  bench.stream().drain();
  check(!bench.stream().takeError(), "a failure is reported once");
}

void testStreams() {
  Bench bench(hip::open(0));
  const auto second = bench.backend().createStream();
  std::vector<int> order;
  std::mutex mutex;
  for (int i = 0; i < 100; ++i)
    bench.stream().then([&, i] {
      std::lock_guard lock(mutex);
      order.push_back(i);
    });
  bench.stream().drain();
  check(order.size() == 100 && std::is_sorted(order.begin(), order.end()), "callbacks run in order");
  second->wait(bench.stream().record());
  second->close();
  bool ran = false;
  second->then([&] { ran = true; });
  check(!ran && second->record()->done(), "a closed stream takes no work, and nobody waits for it");
}

/// Of a part of a tensor, too: `first` is where it begins.
void testDropout() {
  for (DType type : kFloats) {
    const Numbers x = Numbers::normal(type, {between(1, 5000)});
    const Dropout of{{}, between(0, 1) * 0.3, randomKey(), {}, 4 * between(0, int64_t{1} << between(0, 40))};
    agree(std::string("dropout of ") + name(type), [&](Bench& bench) {
      const View from = bench.tensor(x), y = bench.tensor(Numbers(type, x.shape));
      bench.backend().dropout(bench.stream(), {from, of.p, of.random, y, of.first});
      return Outputs{bench.read(y)};
    });
  }
}

}  // namespace

int main() {
  testConversions();
  testHalves();
  testLargeCopy();
  testFillAddCopy();
  testRows();
  testBadIndices();
  testStreams();
  testDropout();
  return finish("GPU elementwise");
}
