# node-gyp (which prebuildify and node-gyp-build call) reaches CMake through this target; CMakeLists.txt owns the build.
{
  "targets": [
    {
      "target_name": "aurora",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake",
          "inputs": [],
          "outputs": ["<(module_root_dir)/build/Release/aurora.node"],
          "action": ["node", "<(module_root_dir)/scripts/build-native.mjs"]
        }
      ]
    }
  ]
}
