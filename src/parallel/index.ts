export { isLoopback, type WorldEnvironment, worldFromEnvironment } from './environment.ts'
export { type Exchange, Group, type GroupKind, type GroupOptions, type Pending, type Reduction } from './group.ts'
export { type JoinOptions, World } from './rendezvous/index.ts'
