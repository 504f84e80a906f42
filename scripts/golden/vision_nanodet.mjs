// Runs the NanoDet graph in TensorFlow.js (CPU backend), the reference for `Detector`.
//
// Usage: node vision_nanodet.mjs MODEL_DIR INPUT.f32 OUTPUT.f32
// INPUT.f32 is a (3, 416, 416) tensor of little-endian floats. OUTPUT.f32 gets, for the levels of
// 52, 26 and 13 cells a side, the class probabilities (cells, 80) and the box logits (cells, 44).
// Needs @tensorflow/tfjs-core, -converter and -backend-cpu 4.22.0 in node_modules.

import fs from "node:fs";
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { loadGraphModel } from "@tensorflow/tfjs-converter";

const [modelDir, input, output] = process.argv.slice(2);
const floats = (path) => new Float32Array(new Uint8Array(fs.readFileSync(path)).buffer);
const json = JSON.parse(fs.readFileSync(`${modelDir}/nanodet.json`));
const model = await loadGraphModel({
  load: async () => ({
    modelTopology: json.modelTopology,
    weightSpecs: json.weightsManifest[0].weights,
    weightData: new Uint8Array(fs.readFileSync(`${modelDir}/nanodet.bin`)).buffer,
    format: json.format,
    signature: json.signature,
  }),
});
await tf.setBackend("cpu");
const outputs = model.execute(tf.tensor(floats(input), [1, 3, 416, 416]));
const parts = [];
for (const side of [52, 26, 13]) {
  for (const width of [80, 44]) {
    const part = outputs.find((t) => t.shape[1] === side * side && t.shape[2] === width);
    parts.push(Buffer.from(part.dataSync().buffer));
  }
}
fs.writeFileSync(output, Buffer.concat(parts));
