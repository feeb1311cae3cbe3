export { GradientBuffer } from './gradients.ts'
export { type Attend, Embedding, LayerNorm, Linear, MLP, MultiQueryAttention } from './layers.ts'
export { type Initial, namedSpecs, Parameter, type ParameterSpec, type ParameterTree } from './parameter.ts'
export { ParameterGroup, ParameterStore, type Segment } from './store.ts'
