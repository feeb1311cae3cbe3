export { type Exchange, Group, type GroupKind, type GroupOptions, type Pending, type Reduction } from './group.ts'
