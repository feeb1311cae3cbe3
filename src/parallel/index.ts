export { isLoopback, type WorldEnvironment, worldFromEnvironment } from './environment.ts'
export { type Exchange, type JoinOptions, World } from './rendezvous/index.ts'
