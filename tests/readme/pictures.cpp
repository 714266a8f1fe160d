// Writes the pictures that README's program trains on: pictures FOLDER COUNT makes edge-on disks and round galaxies, and
// labels.csv beside them.
#include <cstdio>
#include <cstdlib>
#include <string>

#include <d16/d16.hpp>
#include <d16/io/jpeg.hpp>
#include <d16/sim/sersic.hpp>

using namespace d16;

int main(int, char** words) {
  std::string folder = words[1], labels = "id,class\n";
  Random random(16);
  for (int i = 0; i < std::atoi(words[2]); ++i) {
    bool disk = i % 2;
    sim::Sersic galaxy{.amplitude = 0.3,
                       .r_eff = random.uniform(8, 12),
                       .n = disk ? 1.0 : 4.0,
                       .q = disk ? 0.2 : 0.9,
                       .theta = random.uniform(0, 3.14),
                       .x0 = 32,
                       .y0 = 32};
    Tensor light = clamp(sim::sersic_profile(64, 64, galaxy), 0, 1);
    std::string name = std::to_string(i);
    io::write_jpeg(folder + "/" + name + ".jpg", light.reshape({64, 64, 1}).expand({64, 64, 3}).contiguous());
    labels += name + (disk ? ",disk\n" : ",elliptical\n");
  }
  std::FILE* file = std::fopen((folder + "/labels.csv").c_str(), "w");
  std::fputs(labels.c_str(), file);
  std::fclose(file);
}
