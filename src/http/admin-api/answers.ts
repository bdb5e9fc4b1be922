import { Type } from 'typebox'

/** Every answer about the chat's own data names the integer and the string id. */
export const RoomAnswer = Type.Object({ roomId: Type.Integer(), conversation_id: Type.String() })
export const MessageAnswer = Type.Object({ messageId: Type.Integer(), message_id: Type.String() })

export function roomAnswer({ id, publicId }: { id: number; publicId: string }) {
  return { roomId: id, conversation_id: publicId }
}
