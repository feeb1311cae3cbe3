export { type Exchange, Group, type GroupOptions, type Pending, type Reduction } from './group.ts'
