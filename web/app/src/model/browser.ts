/** What this browser has: outside of a secure context, and in older ones, less than the types of the DOM promise. */
export const browser = (): Partial<Navigator> => navigator;
