export { type Exchange, type JoinOptions, World } from './world.ts'
