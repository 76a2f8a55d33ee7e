/** What the other side says. It plays as soon as there is something: whoever called or answered has pressed a button. */
export const sound = new Audio();
sound.autoplay = true;
