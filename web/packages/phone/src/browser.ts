/** Parts of a browser that may be missing (old ones, insecure contexts), although TypeScript believes in them. */

const partial = globalThis.navigator as Partial<Navigator>;

export const webLocks = (): LockManager | undefined => partial.locks;
export const permissions = (): Permissions | undefined => partial.permissions;
export const mediaDevices = (): MediaDevices | undefined => partial.mediaDevices;
