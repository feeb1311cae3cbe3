export { RankFailure } from './failure.ts'
export { type Exchange, type JoinOptions, World } from './world.ts'
