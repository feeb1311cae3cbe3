export { RankFailure } from './failure.ts'
export { type JoinOptions, World } from './world.ts'
