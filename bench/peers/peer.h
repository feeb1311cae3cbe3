// How a peer program talks: one line says what it is; then for every line `<problem> <calls>` it does the calls and answers with the
// seconds of one of them. A problem that differs from the one before is set up and run once untimed; `cannot` answers one that fails at that.
#pragma once

#include <chrono>
#include <exception>
#include <functional>
#include <iostream>
#include <sstream>
#include <string>

/// One of a linear layer's three products: y = x · weightᵀ, dx = dy · weight, dweight += dyᵀ · x. x [N, D], weight [F, D], y [N, F].
struct Product {
  std::string dtype, name;
  long n, d, f;
};

using Run = std::function<void()>;

/// `prepare` makes a product's data and returns what runs it once.
inline void serve(const std::string& about, const std::function<Run(const Product&)>& prepare) {
  std::cout << about << std::endl;
  std::string last;
  Run run;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    Product product;
    long calls;
    words >> product.dtype >> product.name >> product.n >> product.d >> product.f >> calls;
    const std::string problem = line.substr(0, line.rfind(' '));
    if (problem != last) {
      run = nullptr;  // frees the data of the one before
      last.clear();
      try {
        run = prepare(product);
        run();
      } catch (const std::exception& error) {
        std::cout << "cannot: " << error.what() << std::endl;
        continue;
      }
      last = problem;
    }
    const auto started = std::chrono::steady_clock::now();
    for (long call = 0; call < calls; ++call) run();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - started;
    std::cout << seconds.count() / calls << std::endl;
  }
}
